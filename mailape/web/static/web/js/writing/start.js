// The page on which a message is written: toolbar and keys, merge tags, counters, saving, preview,
// tests. Without it the form works as it stands.
(() => {
  const { Editor, Saver, Choices, Preview, Images, deeds, pasted, time } = window.writing;
  const get = (name) => document.getElementById(name);
  const form = get("write");
  const area = get("body");
  if (!form || !area) return;
  const words = { ...get("words").dataset };
  for (const name of ["subject", "preview_text", "body"]) {
    words[`fields-${name}`] = get("words").getAttribute(`data-fields-${name}`);
  }
  const editor = new Editor(area);
  const number = new Intl.NumberFormat(document.documentElement.lang);
  const saidAt = get("saved");

  // --- what the page says about saving ---

  const page = {
    said(what, more) {
      saidAt.dataset.state = what;
      saidAt.replaceChildren();
      if (what === "saved") {
        saidAt.append(`${words.saved} `);
        const stamp = document.createElement("time");
        stamp.dateTime = more;
        stamp.textContent = time(more);
        saidAt.append(stamp);
      } else if (what === "saving") saidAt.append(words.saving);
      else if (what !== "empty") saidAt.append(words.unsaved);
      if (what === "saved" || what === "empty") {
        for (const note of document.querySelectorAll("#notes .of-saving")) note.remove();
      } else if (what !== "saving" && what !== "unsaved") this.trouble(what, more);
    },

    trouble(what, more) {
      const texts = { fault: more || words.offline, elsewhere: words.elsewhere };
      const text = texts[what] ?? words[what];
      const there = document.querySelector("#notes .of-saving");
      if (there?.dataset.text === text) return;
      const deed = {
        signedOut: [words.signIn, () => open(`${words.signInUrl}?next=${encodeURIComponent(location.pathname)}`)],
        elsewhere: [words.show, () => location.reload()],
        gone: [words.new, () => saver.anew()],
      }[what] ?? [];
      const note = choices.note(text, ...deed);
      note.classList.add("of-saving");
      note.dataset.text = text;
      if (what === "elsewhere") saidAt.replaceChildren(`${words.saved} ${time(more.at)}`);
    },

    conflict: (said) => choices.conflict(said),

    // The first save made a draft: from now on this is its page.
    made(url) {
      history.replaceState(null, "", url);
      const base = url.replace(/\/edit$/, "");
      get("try-form").action = `${base}/test`;
      for (const link of document.querySelectorAll("[data-path]")) {
        link.href = base + link.dataset.path;
        link.hidden = false;
      }
      for (const part of document.querySelectorAll("[data-draft]")) part.hidden = false;
      get("heading").textContent = words.draft;
    },

    // The tab is found again by the subject.
    named(subject) {
      const site = document.title.slice(document.title.lastIndexOf(" · "));
      document.title = (subject.trim() || words.draft) + site;
    },

    // A key for forms that fits the session, from the page itself; false where nobody is signed in.
    async freshToken() {
      try {
        const answer = await fetch(location.pathname, { redirect: "manual" });
        if (!answer.ok) return answer.type !== "opaqueredirect";
        const found = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(await answer.text());
        for (const field of document.querySelectorAll("[name=csrfmiddlewaretoken]")) {
          if (found) field.value = found[1];
        }
        return true;
      } catch {
        return true; // nobody answers at all: saving will say that
      }
    },
  };

  const saver = new Saver(form, page);
  const choices = new Choices(saver, editor, get("notes"), words);

  // --- toolbar, keys, pasting ---

  const does = deeds(editor, words);
  const toolbar = get("toolbar");
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);

  const startToolbar = () => {
    toolbar.hidden = false;
    const items = [...toolbar.querySelectorAll(":scope > button, :scope > details > summary")];
    items.forEach((item, at) => (item.tabIndex = at ? -1 : 0));
    for (const button of toolbar.querySelectorAll("[data-do]")) {
      const keys = button.dataset.keys;
      if (keys) {
        button.setAttribute("aria-keyshortcuts", mac ? keys.replace("Control", "Meta") : keys);
        button.title += ` (${keys.replace("Control", mac ? "⌘" : "Ctrl")})`;
      }
      button.addEventListener("click", () => does[button.dataset.do]());
    }
    // One stop for Tab; arrows, Home and End walk.
    toolbar.addEventListener("keydown", (event) => {
      const at = items.indexOf(event.target);
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      event.stopPropagation(); // Home and End open a menu elsewhere
      const next = items.at(to % items.length);
      for (const item of items) item.tabIndex = item === next ? 0 : -1;
      next.focus();
    });
    // It stands within the form: Enter would save the draft and leave the menu.
    for (const field of toolbar.querySelectorAll(".tag-fallback input")) {
      field.addEventListener("keydown", (event) => {
        if (event.key !== "Enter") return;
        event.preventDefault();
        toolbar.querySelector(`[data-fills="${field.id}"]`)?.focus();
      });
    }
    for (const tag of toolbar.querySelectorAll("[data-tag]")) {
      tag.addEventListener("click", () => {
        const fallback = get(tag.dataset.fills)?.value.trim().replaceAll('"', "”");
        const rest = fallback ? ` | default: "${fallback}"` : "";
        tag.closest("details").open = false;
        const text = `{{ ${tag.dataset.tag}${rest} }}`;
        const isUrl = tag.dataset.tag.endsWith("_url");
        if (!isUrl || form.elements.format.value === "html") return editor.insert(text);
        return editor.link(tag.querySelector("span").textContent, text);
      });
    }
  };

  const byKey = (event) => {
    const command = mac ? event.metaKey && !event.ctrlKey : event.ctrlKey && !event.metaKey;
    if (!command || event.altKey || event.getModifierState("AltGraph")) return null;
    if (event.shiftKey) {
      return { Digit2: "heading", Digit7: "numbers", Digit8: "list", Digit9: "quote" }[event.code];
    }
    return { b: "bold", i: "italic", k: "link", e: "code" }[event.key.toLowerCase()];
  };

  area.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const deed = byKey(event);
    const command = event.ctrlKey || event.metaKey;
    if (deed) does[deed]();
    else if (command && (event.code === "BracketRight" || event.code === "BracketLeft")) {
      editor.shift(event.code === "BracketLeft");
    } else if (event.key !== "Enter" || event.shiftKey || command || event.altKey || !editor.enter()) {
      return;
    }
    event.preventDefault();
  });

  area.addEventListener("paste", (event) => {
    const data = event.clipboardData;
    if (!data) return;
    const text = images.pasted(data) || form.elements.format.value === "html"
      ? null : pasted(data, editor.selected);
    if (text !== null || images.dialog.open) event.preventDefault();
    if (text !== null) editor.insert(text);
  });

  addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "s") {
      event.preventDefault();
      saver.save();
    }
  });

  // --- numbers, lists, height ---

  const TAGS = /\{\{.*?\}\}|\{%.*?%\}|<[^>]*>|\]\([^)]*\)/gs;

  const count = () => {
    const found = area.value.replace(TAGS, " x ").match(/[\p{L}\p{N}][\p{L}\p{N}'’.-]*/gu) ?? [];
    const all = found.length === 1 ? words.word : words.words.replace("%s", number.format(found.length));
    const minutes = words.reading.replace("%s", number.format(Math.max(1, Math.round(found.length / 220))));
    get("counted").textContent = found.length ? `${all} · ${minutes}` : all;
    for (const field of form.querySelectorAll("[data-soft]")) {
      const length = [...field.value].length;
      const most = Number(field.dataset.soft);
      const said = get(`${field.id}-count`);
      const text = length > most ? words.cut : words.characters;
      said.textContent = length
        ? text.replace("%s", length).replace("%1", length).replace("%2", most) : "";
      said.classList.toggle("over-it", length > most);
    }
  };

  const grow = () => {
    if (CSS.supports("field-sizing", "content")) return;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight + 2}px`;
  };

  const chosenLists = () => {
    const chips = [...form.querySelectorAll("[name=lists]:checked")].map((box) => {
      const chip = document.createElement("span");
      chip.className = "chip";
      const size = document.createElement("span");
      size.className = "faint number";
      size.textContent = box.dataset.number;
      chip.append(`${box.dataset.name} `, size);
      return chip;
    });
    const nothing = document.createElement("span");
    nothing.className = "faint";
    nothing.textContent = words.noList;
    get("to-said").replaceChildren(...(chips.length ? chips : [nothing]));
  };

  const changed = () => {
    count();
    grow();
    saver.changed();
    preview.later();
  };

  // --- tests ---

  const startTests = () => {
    const said = get("try-said");
    let watching = 0;
    let sending = false;
    const show = async (answer) => {
      said.innerHTML = await answer.text();
      clearTimeout(watching);
      if (answer.headers.get("X-Live") === "on") watching = setTimeout(look, 1500);
    };
    const look = async () => {
      const answer = await fetch(`${saver.url}/tests`, { redirect: "manual" }).catch(() => null);
      if (answer?.ok) await show(answer);
    };
    const send = async (asked) => {
      await saver.save();
      const answer = await fetch(asked.action, {
        method: "POST", body: new FormData(asked), redirect: "manual", headers: { "X-Part": "trials" },
      }).catch(() => null);
      if (answer && (answer.ok || answer.status === 400)) await show(answer);
      else page.trouble("fault", words.offline);
    };
    get("try-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      if (sending) return; // a second click would mail it twice
      sending = true;
      await send(event.target).finally(() => (sending = false));
    });
  };

  // --- all together ---

  startToolbar();
  startTests();
  const images = new Images(saver, editor, words);
  const preview = new Preview(saver, editor, words);
  count();
  grow();
  const stamp = saidAt.querySelector("time");
  if (stamp) page.said("saved", (saver.at = stamp.dateTime));
  const panel = document.querySelector("#notes [data-conflict-panel]");
  if (panel) {
    const status = panel.querySelector("[data-choose=new]") && saver.url ? "draft" : "gone";
    choices.decide(panel, {
      status, version: form.elements.version.value,
      theirs: {
        subject: panel.querySelector("#their-subject").value,
        preview_text: form.elements.preview_text.value,
        body: panel.querySelector("#their-body").value,
      },
    });
  } else {
    const left = saver.left();
    if (left) choices.offer(left);
  }
  // From the last look: to the line that is to be mended.
  const wanted = Number(new URLSearchParams(location.search).get("line"));
  if (wanted > 0) editor.goTo(wanted);

  form.addEventListener("input", changed);
  form.addEventListener("change", () => {
    chosenLists();
    changed();
  });
  if (saver.early) changed();
  form.addEventListener("focusout", () => saver.save());
  area.addEventListener("keyup", (event) => {
    if (/^(Arrow|Page|Home|End)/.test(event.key)) preview.later();
  });
  // A save that is under way ends first: the form would meet its own version otherwise.
  form.addEventListener("submit", (event) => {
    if (saver.under_way) {
      event.preventDefault();
      const { submitter } = event;
      saver.under_way.finally(() => form.requestSubmit(submitter));
      return;
    }
    clearTimeout(saver.timer);
    saver.keep();
    saver.leaving = true;
  });
  addEventListener("pagehide", () => saver.leave());
  addEventListener("online", () => saver.returned());
  addEventListener("focus", () => saver.returned());
  addEventListener("pageshow", (event) => {
    saver.leaving = false;
    if (event.persisted) saver.returned();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) saver.save();
    else saver.returned();
  });
  addEventListener("beforeunload", (event) => {
    if (saver.dirty && !saver.leaving && !saver.keep()) event.preventDefault();
  });
})();
