// Loaded before the first paint, so that a chosen theme never flashes in the other one.
// The switch is kept in this browser only; until it is used, the theme of the person's account counts
// (data-theme as the page came), else the system's. Another choice in the account undoes the switch.
(() => {
  const root = document.documentElement;
  const order = ["system", "light", "dark"];

  const given = root.dataset.theme ?? "system";

  const read = () => {
    try {
      const kept = localStorage.getItem("theme");
      const chosenOver = localStorage.getItem("theme-over") ?? "system";
      return order.includes(kept) && (given === "system" || chosenOver === given) ? kept : given;
    } catch {
      return given; // storage may be closed to us; the switch then lasts for this page
    }
  };

  const show = (theme) => {
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };

  const keep = (theme) => {
    try {
      if (theme === given) localStorage.removeItem("theme");
      else localStorage.setItem("theme", theme);
      localStorage.setItem("theme-over", given);
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
