// A colour is typed, or chosen from the browser's own palette beside the field; each follows the
// other. The field alone is posted: it may be empty, which a chooser cannot say.

for (const swatch of document.querySelectorAll("[data-swatch]")) {
  const field = document.getElementById(swatch.dataset.swatch);
  const standard = swatch.value;
  const follow = () => {
    const typed = field.value.trim();
    if (/^#[0-9a-f]{6}$/i.test(typed)) swatch.value = typed;
    else if (!typed) swatch.value = standard;
  };
  swatch.addEventListener("input", () => (field.value = swatch.value));
  field.addEventListener("input", follow);
  addEventListener("pageshow", follow); // the browser may have put back what was typed
  for (const part of [swatch, ...swatch.labels]) part.hidden = false;
}
