// What a writer decides: which of two texts, and whether unsaved words of before are taken back.
(() => {
  const parts = (window.writing ??= {});

  const time = (moment) =>
    new Date(moment).toLocaleTimeString(document.documentElement.lang, {
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23",
      timeZoneName: "short",
    });

  const day = (moment) =>
    new Date(moment).toLocaleString(document.documentElement.lang, {
      dateStyle: "medium", timeStyle: "short",
    });

  const made = (name) => document.getElementById(name).content.firstElementChild.cloneNode(true);

  // Thrown by a choice that cannot be carried out now, with the words that say why.
  class NotNow extends Error {}

  const choices = (panel, deeds) => {
    const buttons = [...panel.querySelectorAll("[data-choose]")];
    const choose = async (deed) => {
      for (const one of buttons) one.disabled = true;
      try {
        await deed();
        panel.remove();
      } catch (fault) {
        for (const one of buttons) one.disabled = false; // it can be chosen again
        if (!(fault instanceof NotNow)) throw fault;
        panel.querySelector("[data-said]").textContent = fault.message;
      }
    };
    for (const button of buttons) {
      const deed = deeds[button.dataset.choose];
      if (deed) button.addEventListener("click", () => choose(deed));
    }
  };

  class Choices {
    constructor(saver, editor, notes, words) {
      Object.assign(this, { saver, editor, notes, words });
    }

    note(text, label, deed) {
      const note = made("note");
      note.querySelector("[data-said]").textContent = text;
      const button = note.querySelector("button");
      if (label) {
        button.hidden = false;
        button.textContent = label;
      }
      choices(note, { do: deed });
      this.notes.replaceChildren(note);
      return note;
    }

    // Puts these words into the form; the body in a way that Ctrl+Z takes back.
    put(words) {
      for (const name of ["subject", "preview_text"]) this.saver.field(name).value = words[name];
      if (words.body !== this.editor.text) {
        this.editor.replace(0, this.editor.text.length, words.body);
      }
      this.saver.form.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }

    // --- two at once ---

    conflict(said) {
      this.notes.querySelector("[data-conflict-panel]")?.remove();
      const panel = made("conflict");
      panel.querySelector("#their-subject").value = said.theirs.subject;
      panel.querySelector("#their-body").value = said.theirs.body;
      if (said.by) {
        const by = document.createElement("p");
        by.className = "small muted";
        by.textContent = `${this.words.by.replace("%s", said.by)} ${time(said.at)}`;
        panel.querySelector("h2").after(by);
      }
      this.notes.replaceChildren(panel);
      this.decide(panel, said);
      panel.scrollIntoView({ block: "nearest" });
    }

    // Also for the panel that the server made, when a form without a script met a conflict.
    decide(panel, said) {
      const gone = said.status !== "draft";
      for (const button of panel.querySelectorAll("[data-choose]")) {
        button.hidden = (button.dataset.choose === "new") !== gone;
      }
      if (gone) {
        panel.querySelector("h2").textContent = this.words.leftDrafts;
        panel.querySelector("p[data-said]").textContent = this.words.leftDraftsMore;
      }
      choices(panel, {
        mine: () => this.saver.over(said.version),
        theirs: () => this.theirs(said),
        both: () => this.both(said),
        new: () => this.saver.anew(),
      });
    }

    // One's own words go in first, so that they are found among the earlier texts. Where nobody
    // took them they stay in the form.
    async theirs(said) {
      await this.saver.over(said.version);
      if (this.saver.halted || !this.saver.taken) return;
      this.saver.field("over").value = "1";
      this.put(said.theirs);
      await this.saver.save();
    }

    async both(said) {
      const data = this.saver.data();
      data.set("base", this.saver.base.body);
      const answer = await this.saver.post(`${this.saver.url}/together`, data).catch(() => null);
      if (answer?.type === "opaqueredirect") throw new NotNow(this.words.signedOut);
      if (!answer?.ok) throw new NotNow(this.words.offline);
      const { body, clean } = await answer.json();
      this.put({ ...this.saver.words(), body });
      await this.saver.over(said.version);
      if (!this.saver.halted) this.note(clean ? this.words.clean : this.words.notClean);
    }

    // --- words of before ---

    offer(found) {
      const [, copy] = found;
      const same = String(copy.version ?? "") === this.saver.field("version").value;
      const key = this.saver.aside(found);
      const said = day(copy.at);
      if (copy.signedOut && same) {
        this.put(copy);
        this.saver.forget(key);
        this.note(this.words.back.replace("%s", said));
        return;
      }
      const panel = made("left");
      panel.querySelector("[data-said]").textContent = this.words.left.replace("%s", said);
      panel.querySelector("#left-mine").value = `${copy.subject}\n\n${copy.body}`;
      const now = this.saver.words();
      panel.querySelector("#left-saved").value = `${now.subject}\n\n${now.body}`;
      choices(panel, {
        take: () => {
          this.saver.field("over").value = "1";
          this.put(copy);
          this.saver.forget(key);
        },
        drop: () => this.saver.forget(key),
      });
      this.notes.replaceChildren(panel);
    }
  }

  parts.Choices = Choices;
  parts.time = time;
})();
