// The ten seconds before a message goes out, and the time zone of whoever plans one.

const asked = document.querySelector("[data-countdown]");
const panel = document.querySelector("[data-waits]");

// Counts by the server's clock: this one may be wrong.
if (asked) {
  const skew = Date.now() - Date.parse(asked.dataset.now);
  const end = Date.parse(asked.dataset.countdown) + skew;
  const seconds = asked.querySelector("[data-seconds]");
  const heading = document.getElementById("waits");
  const count = () => {
    const left = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    seconds.textContent = left;
    asked.hidden = left === 0;
    if (left > 0) setTimeout(count, 200);
    else heading.textContent = asked.dataset.begins;
  };
  count();
}

// Nothing else on the page changes until a worker has begun, or somebody took it back.
if (panel) {
  const look = async () => {
    if (!document.hidden) {
      try {
        const answer = await fetch(panel.dataset.waits, { headers: { Accept: "text/html" } });
        const over = answer.redirected || answer.headers.get("X-Live") === "over";
        if (over && !formUnderWay()) return location.reload();
      } catch {
        // the server may be restarting: look again
      }
    }
    return setTimeout(look, asked ? 1500 : 15000);
  };
  setTimeout(look, asked ? 1500 : 15000);
}

// Whoever chose a zone before this file had come keeps it.
const zone = document.querySelector("[data-own-zone] select");
if (zone?.selectedOptions[0]?.defaultSelected) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if ([...zone.options].some((option) => option.value === own)) zone.value = own;
}
