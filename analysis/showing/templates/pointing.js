// Pointing at a configuration, or going to it by the keyboard, brings it out everywhere; all others fade in the figures.
{
  const all = [...document.querySelectorAll("[data-configuration]")];
  let pointed = null;
  const point = (name) => {
    if (name === pointed) return;
    pointed = name;
    document.documentElement.toggleAttribute("data-pointing", name !== null);
    all.forEach((own) => own.toggleAttribute("data-pointed", name !== null && own.dataset.configuration === name));
  };
  const of = (event) => point(event.target.closest?.("[data-configuration]")?.dataset.configuration ?? null);
  document.addEventListener("pointerover", of);
  document.addEventListener("focusin", of);
}
