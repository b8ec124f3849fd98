// What is typed, as a mail: asked of the server a moment after the last key, shown in a frame that
// has nothing of this page. Slips are shown at their line.
(() => {
  const parts = (window.writing ??= {});
  const PAUSE = 350;
  const WIDE = "(min-width: 75rem)";
  const get = (name) => document.getElementById(name);

  class Preview {
    constructor(saver, editor, words) {
      Object.assign(this, { saver, editor, words });
      this.pane = get("preview");
      this.switch = get("preview-switch");
      this.view = "desktop";
      this.switch.hidden = false;
      this.switch.addEventListener("click", () => this.open(this.pane.hidden, true));
      for (const button of this.pane.querySelectorAll("[data-view]")) {
        button.addEventListener("click", () => this.show(button.dataset.view));
      }
      this.reader();
      this.open((localStorage.getItem("mailape:preview") ?? "open") === "open" && matchMedia(WIDE).matches);
      if (this.pane.hidden) this.ask();
    }

    open(wanted, byHand = false) {
      this.pane.hidden = !wanted;
      get("writing").classList.toggle("with-pane", wanted);
      this.switch.setAttribute("aria-expanded", String(wanted));
      if (byHand) localStorage.setItem("mailape:preview", wanted ? "open" : "shut");
      if (wanted) this.ask();
      if (wanted && byHand && !matchMedia(WIDE).matches) this.pane.scrollIntoView({ block: "start" });
    }

    show(view) {
      this.view = view;
      for (const button of this.pane.querySelectorAll("[data-view]")) {
        button.setAttribute("aria-pressed", String(button.dataset.view === view));
      }
      get("frames").dataset.view = view;
      get("frames").hidden = view === "text";
      get("as-text").hidden = view !== "text";
      this.ask();
    }

    reader() {
      const field = get("reader");
      let timer;
      field.addEventListener("input", () => {
        clearTimeout(timer);
        timer = setTimeout(async () => {
          const asked = field.value;
          const url = `${this.saver.form.dataset.readers}?q=${encodeURIComponent(asked)}`;
          const answer = await fetch(url, { redirect: "manual" }).catch(() => null);
          if (!answer?.ok || asked !== field.value) return; // more was typed, and is asked by itself
          const { results } = await answer.json();
          get("readers").replaceChildren(...results.map(({ email, name }) => {
            const option = document.createElement("option");
            option.value = email;
            option.label = name;
            return option;
          }));
          this.ask();
        }, 250);
      });
    }

    later() {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.ask(), PAUSE);
    }

    data() {
      const data = this.saver.data();
      data.set("reader", get("reader").value);
      data.set("line", this.editor.line);
      data.set("scheme", this.view === "dark" ? "dark" : "light");
      return data;
    }

    async ask() {
      clearTimeout(this.timer);
      this.asked?.abort();
      const asked = (this.asked = new AbortController());
      const data = this.data();
      let said;
      try {
        const answer = await fetch(this.saver.form.dataset.render, {
          method: "POST", body: data, redirect: "manual", signal: asked.signal,
        });
        if (!answer.ok) return;
        said = await answer.json();
      } catch {
        return; // overtaken by a later key, or the server is away: saving says that
      }
      this.inbox(said);
      this.slips(said.problems);
      if (this.pane.hidden) return;
      const broken = !said.size;
      get("as-text").textContent = broken ? this.words.nothing : said.text;
      get("size").textContent = broken
        ? this.words.nothing : this.words.size.replace("%s", (said.size / 1000).toFixed(1));
      if (!broken && this.view !== "text") this.frame(data);
    }

    // A new frame behind the old one takes its place once it has loaded: no flicker, and no step
    // of its own in the history, so that the back button leaves the page.
    frame(data) {
      const box = get("frames");
      box.querySelector("iframe.next")?.remove();
      const frame = document.createElement("iframe");
      frame.name = `mail-${Date.now()}`;
      frame.className = "next";
      frame.title = box.dataset.title;
      frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
      box.append(frame);
      const form = document.createElement("form");
      form.method = "post";
      form.target = frame.name;
      // The block that is being written is scrolled to; its end stays where it is.
      form.action = `${this.saver.form.dataset.renderHtml}${data.get("line") > 3 ? "#here" : ""}`;
      form.hidden = true;
      for (const [name, value] of data) {
        const field = document.createElement("textarea");
        field.name = name;
        field.value = value;
        form.append(field);
      }
      document.body.append(form);
      let loads = 0;
      frame.addEventListener("load", () => {
        loads += 1;
        if (!frame.isConnected || (loads === 1 && this.isBlank(frame))) return;
        for (const old of box.querySelectorAll("iframe:not(.next)")) old.remove();
        frame.className = "";
      });
      form.submit();
      form.remove();
    }

    // The empty page that a frame begins with is ours to look into; the mail is not.
    isBlank(frame) {
      try {
        return frame.contentDocument !== null;
      } catch {
        return false;
      }
    }

    inbox(said) {
      const row = get("inbox");
      row.hidden = this.saver.empty;
      for (const part of row.querySelectorAll("[data-inbox]")) {
        part.textContent = said[part.dataset.inbox];
      }
    }

    // --- slips ---

    slips(problems) {
      const list = get("slips");
      list.hidden = problems.length === 0;
      const looks = JSON.stringify(problems);
      if (list.dataset.looks === looks) return this.marks(problems);
      list.dataset.looks = looks;
      list.replaceChildren(...problems.map((problem) => this.slip(problem)));
      return this.marks(problems);
    }

    slip({ field, line, text, blocks }) {
      const item = document.createElement("li");
      item.className = blocks ? "slip blocks" : "slip";
      const where = document.createElement("button");
      where.type = "button";
      where.className = "link-button";
      where.textContent = field === "body" && line
        ? this.words.line.replace("%s", line) : this.words[`fields-${field}`] ?? "";
      where.addEventListener("click", () => {
        if (field === "body" && line) this.editor.goTo(line);
        else this.saver.field(field)?.focus();
      });
      const said = document.createElement("span");
      said.textContent = text;
      item.append(where, " ", said);
      return item;
    }

    // A dot in the margin beside the line: where that is only a copy of the text can say.
    marks(problems) {
      const box = get("marks");
      const lines = [...new Set(problems.filter((one) => one.field === "body" && one.line)
        .map((one) => one.line))];
      const { area } = this.editor;
      const mirror = document.createElement("div");
      mirror.className = "mirror";
      mirror.style.width = `${area.clientWidth}px`;
      box.replaceChildren(mirror);
      const rows = this.editor.text.split("\n");
      for (const line of lines) {
        mirror.textContent = `${rows.slice(0, line - 1).join("\n")}${line > 1 ? "\n" : ""}\u200b`;
        const dot = document.createElement("span");
        dot.className = "mark";
        dot.style.top = `${mirror.offsetHeight - parseFloat(getComputedStyle(mirror).paddingBottom)}px`;
        dot.title = this.words.line.replace("%s", line);
        box.append(dot);
      }
      mirror.remove();
    }
  }

  parts.Preview = Preview;
})();
