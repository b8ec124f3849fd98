// Loaded before the first paint, so that a chosen theme never flashes in the other one.
// Kept in this browser only; without JavaScript the system's setting counts.
(() => {
  const root = document.documentElement;
  const order = ["system", "light", "dark"];

  const read = () => {
    try {
      const kept = localStorage.getItem("theme");
      return order.includes(kept) ? kept : "system";
    } catch {
      return "system"; // storage may be closed to us; the switch then lasts for this page
    }
  };

  const show = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  const keep = (theme) => {
    try {
      if (theme === "system") localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
    } catch {
      // as above
    }
  };

  let theme = read();
  show(theme);
  root.classList.add("with-script"); // for what a script moves: it is there before the first paint

  const label = (button) => {
    button.querySelector("[data-theme-name]").textContent = button.dataset[theme];
    for (const icon of button.querySelectorAll("[data-theme-icon]")) {
      icon.toggleAttribute("hidden", icon.dataset.themeIcon !== theme);
    }
  };

  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      button.hidden = false;
      label(button);
      button.addEventListener("click", () => {
        theme = order[(order.indexOf(theme) + 1) % order.length];
        show(theme);
        keep(theme);
        label(button);
      });
    }
  });
})();
