// The parts that are better with a script and work without: menus, dialogs, toasts, chosen rows,
// counters. Each looks for its own data-attributes; nothing here knows a page.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Menus (details.menu): arrows walk through them; page.js closes them.
const menuKeys = () => {
  addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key)) return;
    const menu = event.target.closest?.("details.menu, details.who");
    if (!menu || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    menu.open = true;
    const items = all("a[href], button, input", menu).filter((item) => item.offsetParent);
    const at = items.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1, Home: 0, End: -1 }[event.key];
    items.at(next >= items.length ? 0 : next)?.focus();
  });
};

// A link with data-dialog="id" opens that dialog instead of its page. With an empty data-dialog it
// fetches its page and shows what that page asks (its first form, or what is marked data-ask).
const dialogs = () => {
  const fetched = async (link) => {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const asks = page.querySelector("[data-ask]") ?? page.querySelector("main form[method=post]");
    const head = page.querySelector("main h1");
    if (!answer.ok || answer.redirected || !asks) return null;
    const dialog = document.createElement("dialog");
    dialog.className = "dialog";
    if (asks.matches("form") && !asks.getAttribute("action")) asks.action = link.href;
    for (const form of all("form", asks)) if (!form.getAttribute("action")) form.action = link.href;
    if (head && !asks.contains(head)) {
      const title = document.createElement("h2");
      title.textContent = head.textContent;
      title.id = "asked";
      dialog.setAttribute("aria-labelledby", "asked");
      dialog.append(title);
    }
    dialog.append(document.adoptNode(asks));
    for (const back of all("a.plain", dialog)) back.dataset.dialogClose = "";
    document.body.append(dialog);
    dialog.addEventListener("close", () => dialog.remove());
    return dialog;
  };

  let asked = false;
  addEventListener("click", async (event) => {
    const closer = event.target.closest?.("[data-dialog-close]");
    if (closer && closer.closest("dialog")) {
      event.preventDefault();
      return closer.closest("dialog").close();
    }
    if (event.target.matches?.("dialog.dialog")) {
      const box = event.target.getBoundingClientRect();
      const outside =
        event.clientX < box.left || event.clientX > box.right ||
        event.clientY < box.top || event.clientY > box.bottom;
      if (outside && event.clientX) event.target.close();
      return undefined;
    }
    const link = event.target.closest?.("[data-dialog]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return undefined;
    const named = link.dataset.dialog && document.getElementById(link.dataset.dialog);
    event.preventDefault();
    if (asked) return undefined; // a second click, while the page is on its way
    asked = true;
    try {
      const dialog = named || (await fetched(link));
      if (!dialog) return location.assign(link.href);
      dialog.showModal();
      dialog.addEventListener("close", () => link.focus(), { once: true });
    } catch {
      location.assign(link.href);
    } finally {
      asked = false;
    }
    return undefined;
  });
};

// A toast goes by itself after a while, but not under a pointer or the focus, and not when it has
// something to do or to complain about.
const toasts = () => {
  const LASTS = 10000;
  const IN_USE = ":hover, :focus-within";
  for (const toast of all("[data-toast]")) {
    const close = toast.querySelector("[data-toast-close]");
    close.hidden = false;
    close.addEventListener("click", () => toast.remove());
    if (toast.dataset.toast === "stays") continue;
    const wait = () => setTimeout(() => (toast.matches(IN_USE) ? wait() : toast.remove()), LASTS);
    wait();
  }
};

// Rows to choose: the bar counts them and is away at none; Shift chooses all in between.
const bulk = () => {
  let last = null;
  const boxes = (bar) => all(`[data-pick][form="${bar.id}"]`);
  const show = (bar) => {
    const chosen = boxes(bar).filter((box) => box.checked).length;
    bar.hidden = chosen === 0;
    const said = chosen === 1 ? bar.dataset.one : bar.dataset.many.replace("%s", chosen);
    bar.querySelector("[data-bulk-count]").textContent = said;
    const head = document.querySelector(`[data-pick-all="${bar.id}"]`);
    if (!head) return;
    head.hidden = false;
    head.checked = chosen > 0 && chosen === boxes(bar).length;
    head.indeterminate = chosen > 0 && !head.checked;
  };
  const start = () => all("[data-bulk]").forEach(show);
  addEventListener("click", (event) => {
    const box = event.target;
    if (box.matches?.("[data-pick]")) {
      const row = all(`[data-pick][form="${box.getAttribute("form")}"]`);
      if (event.shiftKey && last && row.includes(last)) {
        const [from, to] = [row.indexOf(last), row.indexOf(box)].sort((a, b) => a - b);
        for (const one of row.slice(from, to + 1)) one.checked = box.checked;
      }
      last = box;
    } else if (box.matches?.("[data-pick-all]")) {
      for (const one of all(`[data-pick][form="${box.dataset.pickAll}"]`)) one.checked = box.checked;
    } else return;
    start();
  });
  addEventListener("pageshow", start);
  document.addEventListener("htmx:afterSettle", start);
  start();
};

// How many characters are left of a field.
const counters = () => {
  for (const counter of all("[data-counter]")) {
    const field = document.getElementById(counter.dataset.counter);
    if (!field) continue;
    const most = Number(counter.dataset.most);
    const show = () => {
      counter.textContent = `${[...field.value].length} / ${most}`;
      counter.classList.toggle("over-it", field.value.length >= most);
    };
    counter.hidden = false;
    field.addEventListener("input", show);
    show();
  }
};

for (const start of [menuKeys, dialogs, toasts, bulk, counters]) start();
