// A region with data-watch="5" is fetched anew every five seconds with its page, until one pauses.
// Nothing is exchanged while the page is hidden, or while something in the region has the focus or
// is selected: what one reads or points at must not move away.

for (const region of document.querySelectorAll("[data-watch]")) {
  const every = Number(region.dataset.watch) * 1000;
  let paused = false;

  const button = () => region.querySelector("[data-watch-pause]");
  const show = () => {
    const it = button();
    it.hidden = false;
    it.textContent = paused ? it.dataset.paused : it.dataset.going;
    it.setAttribute("aria-pressed", paused);
  };
  const isInUse = () => {
    const chosen = getSelection();
    const focused = document.activeElement;
    return (
      (region.contains(focused) && focused !== button()) ||
      (!chosen.isCollapsed && region.contains(chosen.anchorNode))
    );
  };
  const look = async () => {
    if (!paused && !document.hidden && !isInUse()) {
      try {
        const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
        if (answer.redirected && !formUnderWay()) return location.reload();
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.getElementById(region.id);
        if (answer.ok && fresh && !paused && !isInUse()) {
          const had = document.activeElement === button();
          const open = [...region.querySelectorAll("details")].map((it) => it.open);
          region.replaceChildren(...fresh.childNodes);
          region.querySelectorAll("details").forEach((it, n) => (it.open = open[n] ?? false));
          show();
          if (had) button().focus();
        }
      } catch {
        // the server may be restarting: look again
      }
    }
    setTimeout(look, every);
  };
  region.addEventListener("click", (event) => {
    if (!event.target.closest("[data-watch-pause]")) return;
    paused = !paused;
    show();
  });
  show();
  setTimeout(look, every);
}
