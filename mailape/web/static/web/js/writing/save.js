// Saving while one types. What is typed goes to the server after a second, and into this browser at
// once; it leaves the browser only when the server has exactly these words.
(() => {
  const parts = (window.writing ??= {});
  const TYPED = ["subject", "preview_text", "body"];
  const PAUSE = 900;
  const MONTH = 30 * 24 * 3600 * 1000;
  const KEEPALIVE = 60000; // browsers carry no more than 64 KiB out of a page that is left

  class Saver {
    constructor(form, page) {
      this.form = form;
      this.page = page; // what to do on the page: said, conflict, signedOut, made, …
      this.url = form.dataset.url;
      this.saved = this.snapshot();
      this.base = this.words("defaultValue");
      this.under_way = null;
      this.halted = false; // until a person has decided what to do about a conflict
      this.wait = 0;
      this.at = ""; // when the server took these words
      // Somebody typed before this script had come.
      this.early = JSON.stringify(this.base) !== JSON.stringify(this.words());
      if (this.early || "unsaved" in form.dataset) this.saved = "";
      if ("conflict" in form.dataset) this.halted = true;
    }

    field(name) {
      return this.form.elements[name];
    }

    words(what = "value") {
      return Object.fromEntries(TYPED.map((name) => [name, this.field(name)[what]]));
    }

    get empty() {
      return TYPED.every((name) => !this.field(name).value.trim());
    }

    snapshot() {
      const rest = ["format", "sender"].map((name) => this.field(name)?.value);
      const lists = [...this.form.querySelectorAll("[name=lists]:checked")].map((box) => box.value);
      return JSON.stringify([this.words(), rest, lists]);
    }

    get dirty() {
      return this.snapshot() !== this.saved && !(this.empty && !this.url);
    }

    // Whether the server has said of any words of ours, since the last doubt, that it has them.
    get taken() {
      return this.saved !== "";
    }

    // --- this browser ---

    get key() {
      const name = this.url || `new:${this.field("key").value}`;
      return `mailape:words:${this.form.dataset.user}:${name}`;
    }

    keep(more = {}) {
      const copy = { ...this.words(), version: this.field("version").value, at: Date.now(), ...more };
      try {
        localStorage.setItem(this.key, JSON.stringify(copy));
        return true;
      } catch {
        return false; // no room, or storage is closed to us: then leaving asks first
      }
    }

    forget(key = this.key) {
      try {
        localStorage.removeItem(key);
      } catch {
        // as above
      }
    }

    // Words of an earlier visit that never reached the server: [key, copy] or nothing.
    left() {
      const mine = `mailape:words:${this.form.dataset.user}:`;
      const wanted = this.url ? [this.key, `${this.key}:left`] : null;
      let found = null;
      try {
        for (const key of Object.keys(localStorage).filter((one) => one.startsWith(mine))) {
          const copy = JSON.parse(localStorage.getItem(key));
          if (!(Date.now() - copy.at < MONTH)) this.forget(key);
          else if (wanted ? wanted.includes(key) : key.startsWith(`${mine}new:`)) {
            if (TYPED.every((name) => copy[name] === this.base[name])) this.forget(key);
            else if (!found || copy.at > found[1].at) found = [key, copy];
          }
        }
      } catch {
        return null;
      }
      return found;
    }

    // Put aside under another name, so that what is typed meanwhile does not write over it.
    aside([key, copy]) {
      const other = key.endsWith(":left") ? key : `${key}:left`;
      try {
        localStorage.setItem(other, JSON.stringify(copy));
        if (other !== key) localStorage.removeItem(key);
      } catch {
        return key;
      }
      return other;
    }

    // --- the server ---

    changed() {
      if (!this.dirty) return this.settled();
      this.keep();
      this.page.said("unsaved");
      this.waits = true; // the page says so
      clearTimeout(this.timer);
      if (!this.halted) this.timer = setTimeout(() => this.save(), PAUSE);
      return undefined;
    }

    // The form shows what the server has: it was saved, or the last change was taken back.
    settled() {
      if (this.under_way || this.halted) return;
      clearTimeout(this.timer);
      this.forget();
      if (this.waits) this.page.said(this.at ? "saved" : "empty", this.at);
      this.waits = false;
    }

    data() {
      return new FormData(this.form);
    }

    // Saves what stands in the form; whoever calls meanwhile waits, and then what came since is saved.
    async save() {
      clearTimeout(this.timer);
      while (this.under_way) await this.under_way;
      if (!this.dirty || this.halted) return;
      this.under_way = this.send();
      try {
        await this.under_way;
      } finally {
        this.under_way = null;
      }
    }

    async send() {
      const sent = this.snapshot();
      const words = this.words();
      const before = this.sent; // whose answer may have been lost on the way
      this.sent = words;
      this.page.said("saving");
      let answer;
      try {
        answer = await this.post(this.url ? `${this.url}/autosave` : this.form.dataset.autosave, this.data());
      } catch {
        return this.later();
      }
      if (answer.type === "opaqueredirect") return this.signedOut();
      if (answer.status === 403) return this.forbidden();
      if (answer.status === 404) return this.stop("gone");
      if (answer.status >= 500 || answer.status === 429) return this.later();
      const said = await answer.json();
      if (answer.status === 409) return this.conflict(said, [words, before]);
      if (!answer.ok) return this.page.said("fault", said.fault);
      this.wait = this.refused = 0;
      this.accept(said, words, sent);
      return undefined;
    }

    post(url, data) {
      return fetch(url, {
        method: "POST", body: data, redirect: "manual", headers: { Accept: "application/json" },
        signal: AbortSignal.timeout?.(20000),
      });
    }

    accept(said, words, sent) {
      const before = this.key;
      this.field("version").value = said.version;
      this.field("over").value = "";
      this.base = words;
      this.saved = sent;
      this.at = said.at;
      if (!this.url) {
        this.url = said.url.replace(/\/edit$/, "");
        this.form.dataset.url = this.url;
        this.form.action = said.url;
        this.page.made(said.url);
      }
      this.forget(before);
      this.page.named(words.subject);
      if (this.dirty) this.changed();
      else {
        this.forget();
        this.waits = false;
        this.page.said("saved", said.at);
      }
    }

    // The server is away: again after 2, 4, 8 … seconds, and at once when the line is back. It may
    // have taken the words without a word back: whoever goes back to those of before saves again.
    later() {
      this.saved = "";
      this.keep();
      this.wait = Math.min(Math.max(this.wait * 2, 2000), 30000);
      this.page.said("offline");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.save(), this.wait);
    }

    signedOut() {
      this.keep({ signedOut: true });
      this.page.said("signedOut");
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.returned(), 5000);
    }

    // The key of the form is older than the session: somebody signed in anew, in another tab.
    async forbidden() {
      this.keep();
      this.refused = (this.refused ?? 0) + 1;
      if (this.refused > 3) return this.stop("fault", "");
      return (await this.page.freshToken()) ? this.later() : this.signedOut();
    }

    stop(what, more) {
      this.keep();
      this.halted = true;
      this.page.said(what, more);
    }

    conflict(said, sent) {
      const own = sent.some((words) =>
        words && TYPED.every((name) => this.same(said.theirs[name], words[name])));
      if (said.status === "draft" && own) {
        this.field("version").value = said.version;
        this.saved = ""; // what stands there is what went out, not what this page knows of
        this.timer = setTimeout(() => this.save(), 0);
        return undefined;
      }
      this.keep();
      this.halted = true;
      this.page.said("unsaved");
      return this.page.conflict(said);
    }

    same(a, b) {
      const plain = (text) => text.replace(/\r\n/g, "\n").trim();
      return plain(a) === plain(b);
    }

    // Which version stands now; null where nobody answers.
    async state() {
      if (!this.url) return null;
      let answer;
      try {
        answer = await fetch(`${this.url}/state`, { redirect: "manual" });
      } catch {
        return null;
      }
      return answer.ok ? answer.json() : null;
    }

    // Back on this tab, or the line is back: what is unsaved is saved; what changed elsewhere shown.
    async returned() {
      if (this.halted || this.under_way) return;
      if (this.dirty) {
        if (await this.page.freshToken()) await this.save();
        else this.signedOut();
        return;
      }
      const said = await this.state();
      if (said && !this.dirty && String(said.version) !== this.field("version").value) {
        this.page.said("elsewhere", said);
      }
    }

    // The page goes: what is unsaved goes out on its own, and stays here in any case.
    leave() {
      if (!this.dirty || this.leaving) return;
      this.keep();
      if (this.halted) return;
      // Also while a save is under way: the browser may cut that one off, and the same words twice
      // are no conflict.
      const data = this.data();
      if (new Blob([data.get("body")]).size > KEEPALIVE) return;
      const url = this.url ? `${this.url}/autosave` : this.form.dataset.autosave;
      fetch(url, { method: "POST", body: data, keepalive: true, redirect: "manual" }).catch(() => {});
    }

    // --- decisions ---

    // Goes on from the version that stands, over its text, which is kept among the earlier ones.
    over(version) {
      this.field("version").value = version;
      this.field("over").value = "1";
      this.halted = false;
      this.saved = "";
      return this.save();
    }

    // A new draft of its own takes the words.
    anew() {
      this.url = "";
      this.form.dataset.url = "";
      this.field("version").value = "";
      this.field("over").value = "";
      this.field("key").value = [...crypto.getRandomValues(new Uint8Array(12))]
        .map((byte) => byte.toString(16).padStart(2, "0")).join("");
      this.halted = false;
      this.saved = "";
      return this.save();
    }
  }

  parts.Saver = Saver;
  parts.TYPED = TYPED;
})();
