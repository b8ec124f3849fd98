// Images: dropped, pasted or chosen; taken in by the server while their writer says what they show.
(() => {
  const parts = (window.writing ??= {});
  const MOST = 10_000_000; // octets; core.images says the same
  const get = (name) => document.getElementById(name);
  const isImage = (file) => /^image\/(png|jpeg|gif|webp)$/.test(file.type);

  class Images {
    constructor(saver, editor, words) {
      Object.assign(this, { saver, editor, words });
      this.waiting = [];
      this.dialog = get("picture");
      const file = get("file");
      get("add-image").addEventListener("click", () => file.click());
      file.addEventListener("change", () => {
        this.take([...file.files]);
        file.value = "";
      });
      this.drops();
      get("picture-form").addEventListener("submit", (event) => {
        event.preventDefault();
        this.put();
      });
      this.dialog.addEventListener("close", () => {
        if (this.dialog.open) return; // this comes late: another image is shown already
        if (this.current) this.back(); // left with Escape
        this.next();
      });
    }

    // A dialog that closes gives the focus back, but forgets where the cursor was.
    back() {
      this.current = null;
      this.editor.area.focus();
      this.editor.area.setSelectionRange(...this.place);
    }

    drops() {
      const paper = this.editor.area.closest(".write-paper");
      const has = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
      paper.addEventListener("dragover", (event) => {
        if (!has(event)) return;
        event.preventDefault();
        paper.classList.add("dropping");
      });
      paper.addEventListener("dragleave", () => paper.classList.remove("dropping"));
      paper.addEventListener("drop", (event) => {
        paper.classList.remove("dropping");
        if (!has(event)) return;
        event.preventDefault();
        this.take([...event.dataTransfer.files]);
      });
    }

    // Whether the clipboard holds an image and no words that it belongs to.
    pasted(data) {
      const files = [...data.files].filter(isImage);
      if (!files.length || data.getData("text/plain").trim()) return false;
      this.take(files);
      return true;
    }

    take(files) {
      this.waiting.push(...files);
      if (!this.dialog.open) this.next();
    }

    next() {
      this.editor.area.focus();
      const file = this.waiting.shift();
      if (!file) return;
      this.current = { file };
      this.current.uploaded = this.upload(this.current);
      this.place = [this.editor.start, this.editor.end];
      get("picture-alt").value = "";
      get("picture-shown").hidden = true;
      const reader = new FileReader();
      reader.addEventListener("load", () => {
        get("picture-shown").src = reader.result;
        get("picture-shown").hidden = false;
      });
      if (isImage(file) && file.size <= MOST) reader.readAsDataURL(file);
      this.dialog.showModal();
      get("picture-alt").focus();
    }

    // An answer that comes after its image was left says nothing of the one that is shown now.
    say(current, text, wrong = false) {
      if (current !== this.current) return;
      get("picture-said").textContent = text;
      get("picture-said").classList.toggle("is-wrong", wrong);
    }

    // What the server made of the file, or null with the reason on the page.
    async upload(current) {
      const { file } = current;
      if (file.size > MOST) {
        this.say(current, this.words.tooLarge, true);
        return null;
      }
      this.say(current, this.words.uploading);
      const data = new FormData();
      data.set("image", file, file.name || "image.png");
      data.set("csrfmiddlewaretoken", this.saver.field("csrfmiddlewaretoken").value);
      const opened = this.saver.field("opened-in"); // there for who has several workspaces
      if (opened) data.set("opened-in", opened.value);
      try {
        const answer = await fetch(this.saver.form.dataset.images, {
          method: "POST", body: data, redirect: "manual", headers: { "X-Part": "image" },
        });
        const said = await answer.json();
        if (!answer.ok) {
          this.say(current, said.fault, true);
          return null;
        }
        this.say(current, this.words.uploaded.replace("%s", `${said.width} × ${said.height}`));
        if (current === this.current) this.offer(said.alt);
        return said;
      } catch {
        this.say(current, this.words.notUploaded, true);
        return null;
      }
    }

    // What this image was called before. It comes late, and marked: whoever types just then says
    // it in words of their own, and not behind the earlier ones.
    offer(alt) {
      const field = get("picture-alt");
      if (!alt || field.value) return;
      field.value = alt;
      if (document.activeElement === field) field.select();
    }

    async put() {
      const { current } = this;
      if (!current || current.going) return; // a second click
      current.going = true;
      const image = await current.uploaded;
      if (!image || current !== this.current) return; // not taken in, or left meanwhile
      const alt = get("picture-alt").value.trim();
      if (alt && alt !== image.alt) await this.describe(image, alt);
      if (current !== this.current) return;
      this.dialog.close();
      this.back();
      this.editor.block(this.line(image, alt));
    }

    line(image, alt) {
      if (this.saver.field("format").value === "html") {
        const safe = alt.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
        return `<img src="${image.url}" alt="${safe}">`;
      }
      return `![${alt.replaceAll("\\", "").replaceAll("[", "(").replaceAll("]", ")")}](${image.url})`;
    }

    describe(image, alt) {
      const data = new FormData();
      data.set("alt", alt);
      data.set("csrfmiddlewaretoken", this.saver.field("csrfmiddlewaretoken").value);
      return fetch(image.describe, { method: "POST", body: data, headers: { "X-Part": "image" } })
        .catch(() => {}); // the words stand in the text in any case
    }
  }

  parts.Images = Images;
})();
