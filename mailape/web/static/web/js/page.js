// What makes pages nicer and nothing needs: copying, live numbers, unsaved words.

const copyButtons = () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    const source = document.getElementById(button.dataset.copy);
    const name = button.querySelector("[data-name]");
    if (!source || !navigator.clipboard) continue;
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(source.value);
      const before = name.textContent;
      name.textContent = button.dataset.done;
      setTimeout(() => (name.textContent = before), 2000);
    });
  }
};

// A link or button that had the focus has it in the new text, too.
const renew = (region, html) => {
  if (region.innerHTML === html) return;
  const stops = () => [...region.querySelectorAll("a[href], button, summary")];
  const had = stops().indexOf(document.activeElement);
  region.innerHTML = html;
  if (had >= 0) stops()[had]?.focus({ preventScroll: true });
};

// A region with data-live is fetched again every two seconds until its answer says that it is over;
// an answer may say where to look next.
const live = () => {
  for (const region of document.querySelectorAll("[data-live]")) {
    const look = async () => {
      if (document.hidden) return setTimeout(look, 2000);
      try {
        const answer = await fetch(region.dataset.live, { headers: { Accept: "text/html" } });
        if (answer.ok && !answer.redirected) {
          renew(region, await answer.text());
          region.dataset.live = answer.headers.get("X-Live-Next") ?? region.dataset.live;
          const over = answer.headers.get("X-Live") === "over";
          if (over && !formUnderWay()) return location.reload();
        }
      } catch {
        // the server may be restarting: look again
      }
      setTimeout(look, 2000);
    };
    setTimeout(look, 2000);
  }
};

// Leaving with words that were not saved asks first; Ctrl+S and Cmd+S save.
const unsaved = () => {
  for (const form of document.querySelectorAll("form[data-keep]")) {
    const typed = ({ value, defaultValue = value }) => value !== defaultValue; // before this came
    let changed = "unsaved" in form.dataset || [...form.elements].some(typed);
    form.addEventListener("input", () => (changed = true));
    form.addEventListener("submit", () => (changed = false));
    addEventListener("beforeunload", (event) => {
      if (changed) event.preventDefault();
    });
    addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "s") {
        event.preventDefault();
        form.requestSubmit();
      }
    });
  }
};

// Open menus close with Escape or a click elsewhere; what unfolds with a form in it, with Escape from
// inside it only, because a click elsewhere must not fold away what was typed.
const menus = () => {
  const OPEN = "details.who[open], details.menu[open], .row > details.unfold[open]";
  const close = (but) => {
    for (const menu of document.querySelectorAll(OPEN)) {
      if (!menu.contains(but)) menu.open = false;
    }
  };
  addEventListener("click", (event) => close(event.target));
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const panel = document.activeElement.closest("details.unfold[open], details.ask[open]");
    const menu = document.querySelector(OPEN) ?? panel;
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });
};

const STOPPED = 20000; // no browser says that its stop button was pressed

// Whether a form's answer is on its way here. It says what was done: who looks and finds that things
// have changed must not load another page over it.
globalThis.formUnderWay = () =>
  [...document.forms].some((form) => Date.now() - form.dataset.sent < STOPPED);

// A form is sent once: a second click while the first is under way does nothing.
const once = () => {
  addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (Date.now() - form.dataset.sent < STOPPED) event.preventDefault();
    else form.dataset.sent = Date.now();
  });
  // Back from the browser's memory, or stopped by hand: the form may be sent again.
  const again = () => {
    for (const form of document.forms) delete form.dataset.sent;
  };
  addEventListener("pageshow", again);
  addEventListener("keydown", (event) => event.key === "Escape" && again());
};

for (const start of [copyButtons, live, unsaved, menus, once]) start();
