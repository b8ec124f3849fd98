// Changing the text of a textarea as a writer does: every change is the browser's own, so that its
// undo knows it. Nothing here knows the page.
(() => {
  const parts = (window.writing ??= {});
  const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])(\s+)(\[[ xX]\]\s+)?/;
  const QUOTE = /^\s*(?:>\s?)+/;

  class Editor {
    constructor(area) {
      this.area = area;
      // Where nobody has clicked yet, what is put in goes to the end, not above the salutation.
      if (document.activeElement !== area && !area.selectionEnd) {
        area.setSelectionRange(area.value.length, area.value.length);
      }
    }

    get text() {
      return this.area.value;
    }

    get start() {
      return this.area.selectionStart;
    }

    get end() {
      return this.area.selectionEnd;
    }

    get selected() {
      return this.text.slice(this.start, this.end);
    }

    // Puts `text` in the place of what stands from `start` to `end`, and selects what lies between
    // `from` and `to` in it.
    replace(start, end, text, from = text.length, to = from) {
      const { area } = this;
      const wanted = this.text.slice(0, start) + text + this.text.slice(end);
      area.focus();
      area.setSelectionRange(start, end);
      // Old, and the only way that leaves Ctrl+Z whole.
      if (text) document.execCommand("insertText", false, text);
      else if (start !== end) document.execCommand("delete");
      if (area.value !== wanted) {
        area.setRangeText(text, start, end, "end");
        area.dispatchEvent(new InputEvent("input", { bubbles: true }));
      }
      area.setSelectionRange(start + from, start + to);
    }

    insert(text, from, to) {
      this.replace(this.start, this.end, text, from, to);
    }

    // Marks round the selection; once more takes them off.
    wrap(mark, placeholder) {
      let { start, end } = this;
      while (start < end && /\s/.test(this.text[start])) start++;
      while (end > start && /\s/.test(this.text[end - 1])) end--;
      const inner = this.text.slice(start, end);
      const { length } = mark;
      const around =
        this.text.slice(start - length, start) === mark &&
        this.text.slice(end, end + length) === mark &&
        // `*` inside of `**` is no mark of its own
        !(length === 1 && this.text[start - 2] === mark && this.text[start - 3] !== mark);
      if (around) return this.replace(start - length, end + length, inner, 0, inner.length);
      if (inner.length > 2 * length && inner.startsWith(mark) && inner.endsWith(mark)) {
        const bare = inner.slice(length, -length);
        return this.replace(start, end, bare, 0, bare.length);
      }
      const said = inner || placeholder;
      return this.replace(start, end, mark + said + mark, length, length + said.length);
    }

    // The lines that the selection touches.
    lines() {
      const first = this.text.lastIndexOf("\n", this.start - 1) + 1;
      const next = this.text.indexOf("\n", Math.max(this.end - (this.end > this.start), first));
      const last = next < 0 ? this.text.length : next;
      return { first, last, list: this.text.slice(first, last).split("\n") };
    }

    // Puts a mark before each line, or takes it off where all have it.
    prefix(make, has) {
      const { first, last, list } = this.lines();
      const full = list.filter((line) => line.trim());
      const off = full.length > 0 && full.every((line) => has.test(line));
      const changed = list.map((line, number) => {
        if (!line.trim() && list.length > 1) return line;
        const bare = line.replace(has, "");
        return off ? bare : make(number) + bare.replace(ITEM, "$1");
      });
      const text = changed.join("\n");
      const one = list.length === 1;
      this.replace(first, last, text, one ? text.length : 0, text.length);
    }

    heading() {
      const { first, last, list } = this.lines();
      const next = { 0: "## ", 2: "### ", 3: "" };
      const changed = list.map((line) => {
        const [marks] = /^#{0,6}/.exec(line);
        return (next[marks.length] ?? "## ") + line.slice(marks.length).trimStart();
      });
      const text = changed.join("\n");
      this.replace(first, last, text, list.length === 1 ? text.length : 0, text.length);
    }

    // Text that stands alone, with an empty line before and after it.
    block(text, from = text.length, to = from) {
      const before = this.text.slice(0, this.start);
      const after = this.text.slice(this.end);
      const head = !before ? "" : before.endsWith("\n\n") ? "" : before.endsWith("\n") ? "\n" : "\n\n";
      const tail = after.startsWith("\n\n") ? "" : after.startsWith("\n") ? "\n" : "\n\n";
      this.insert(head + text + tail, head.length + from, head.length + to);
    }

    link(placeholder, url = "https://") {
      const said = this.selected || placeholder;
      const text = `[${said}](${url})`;
      if (this.selected) this.insert(text, said.length + 3, text.length - 1);
      else this.insert(text, 1, 1 + said.length);
    }

    // Enter in a list or a quote goes on with it; on an empty item it ends it.
    enter() {
      if (this.start !== this.end) return false;
      const first = this.text.lastIndexOf("\n", this.start - 1) + 1;
      const line = this.text.slice(first, this.start);
      const item = ITEM.exec(line);
      const mark = item ? item[0] : QUOTE.exec(line)?.[0];
      if (!mark) return false;
      const next = this.text.indexOf("\n", this.start);
      const rest = this.text.slice(this.start, next < 0 ? undefined : next);
      if (line.length === mark.length && !rest.trim()) {
        this.replace(first, this.start, "");
        return true;
      }
      if (!item) this.insert(`\n${mark.trimEnd()} `);
      else {
        const number = parseInt(item[2], 10);
        const sign = Number.isNaN(number) ? item[2] : `${number + 1}${item[2].slice(-1)}`;
        this.insert(`\n${item[1]}${sign}${item[3]}${item[4] ? "[ ] " : ""}`);
      }
      return true;
    }

    // Moves the items that the selection touches in or out.
    shift(out) {
      const { first, last, list } = this.lines();
      const changed = list.map((line) => {
        if (!ITEM.test(line)) return line;
        const width = /^\s*\d/.test(line) ? 3 : 2;
        return out ? line.replace(new RegExp(`^ {1,${width}}`), "") : " ".repeat(width) + line;
      });
      const text = changed.join("\n");
      if (text === list.join("\n")) return;
      const moved = this.start + changed[0].length - list[0].length;
      this.replace(first, last, text, list.length === 1 ? Math.max(moved - first, 0) : 0,
        list.length === 1 ? Math.max(moved - first, 0) : text.length);
    }

    get line() {
      return this.text.slice(0, this.start).split("\n").length;
    }

    goTo(line) {
      const before = this.text.split("\n").slice(0, line - 1).join("\n");
      const start = before.length + (line > 1);
      const next = this.text.indexOf("\n", start);
      this.area.focus();
      this.area.setSelectionRange(start, next < 0 ? this.text.length : next);
    }
  }

  parts.Editor = Editor;
  parts.deeds = (editor, words) => ({
    bold: () => editor.wrap("**", words.bold),
    italic: () => editor.wrap("*", words.italic),
    heading: () => editor.heading(),
    link: () => editor.link(words.link),
    list: () => editor.prefix(() => "- ", /^(\s*)[-*+] /),
    numbers: () => editor.prefix((number) => `${number + 1}. `, /^(\s*)\d+[.)] /),
    quote: () => editor.prefix(() => "> ", /^>\s?/),
    code: () => {
      if (!editor.selected.includes("\n")) return editor.wrap("`", "code");
      const text = `\`\`\`\n${editor.selected.replace(/\n$/, "")}\n\`\`\``;
      return editor.block(text, 4, text.length - 4);
    },
    divider: () => editor.block("---"),
    button: () => {
      const said = editor.selected || words.button;
      const text = `<div class="button"><a href="https://">${said}</a></div>`;
      editor.block(text, 29, 37);
    },
  });
})();
