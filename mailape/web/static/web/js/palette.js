// The way to everything behind Ctrl-K or Cmd-K. Without this file the button leads to its page.
// Letters stay in the field, arrows walk through the links, Enter takes the first or the one chosen.

// It stands in a template until it is wanted: a page has no fields of it before.

const palette = () => {
  const kept = document.getElementById("palette-kept");
  if (!kept || !globalThis.htmx) return;
  const dialog = kept.content.firstElementChild.cloneNode(true);
  const form = dialog.querySelector("form");
  const field = dialog.querySelector("input");
  const found = dialog.querySelector(".found");
  const mac = /Mac|iPhone|iPad/.test(navigator.platform);
  const links = () => [...found.querySelectorAll("a[href]")];
  let asked = null; // what the links on show were asked with

  const open = () => {
    if (dialog.open) return dialog.close();
    if (!dialog.isConnected) {
      document.body.append(dialog);
      htmx.process(dialog);
    }
    field.value = "";
    asked = null;
    dialog.showModal();
    field.focus();
    return htmx.trigger(form, "palette-opened");
  };

  for (const key of document.querySelectorAll("[data-palette-key]")) if (mac) key.textContent = "⌘ K";
  for (const button of document.querySelectorAll("[data-palette]")) {
    button.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      open();
    });
  }

  addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
    if (event.defaultPrevented || event.altKey || event.shiftKey) return;
    event.preventDefault();
    open();
  });

  let entered = false; // Enter was pressed before the answer had come
  const first = () => {
    const link = links()[0];
    if (link) link.click();
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (asked === field.value) first();
    else entered = true;
  });

  field.addEventListener("input", () => (entered = false));

  // An answer that comes while a link has the focus must not throw it away.
  let chosen = null;
  dialog.addEventListener("htmx:beforeSwap", () => {
    const at = document.activeElement;
    chosen = found.contains(at) ? at.getAttribute("href") : null;
  });

  dialog.addEventListener("htmx:afterSwap", (event) => {
    asked = event.detail.requestConfig.parameters.q; // more may have been typed since
    if (chosen) (links().find((link) => link.getAttribute("href") === chosen) ?? field).focus();
    if (!entered || asked !== field.value) return;
    entered = false;
    first();
  });

  dialog.addEventListener("keydown", (event) => {
    const all = links();
    const at = all.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = event.key === "ArrowDown" ? at + 1 : at - 1;
      (next === -1 || next >= all.length ? field : (all.at(next) ?? field)).focus();
    } else if (at >= 0 && event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      field.focus(); // the letter goes on where one was typing
    }
  });

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
};

palette();
