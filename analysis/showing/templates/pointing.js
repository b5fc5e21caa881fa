// Pointing at a configuration, or going to it by the keyboard, brings it out everywhere; all others fade in the figures, but for the one that they are compared with.
{
  const all = [...document.querySelectorAll("[data-configuration]")];
  const { reference } = document.querySelector("main").dataset;
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
  for (const own of all) {
    own.toggleAttribute("data-beside", own.dataset.configuration === reference);
    if (!own.closest("svg")) continue;
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title"); // what a browser shows beside the pointer
    title.textContent = own.dataset.configuration;
    own.prepend(title);
  }
  // In a figure, the arrows go from one configuration to the next, where they do not have to scroll it.
  for (const figure of document.querySelectorAll("figure .scroll:has([data-configuration])")) {
    figure.ariaLabel += ". Left and right arrows bring out one configuration after the other";
    const names = [null, ...new Set([...figure.querySelectorAll("[data-configuration]")].map((own) => own.dataset.configuration))];
    figure.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || figure.scrollWidth > figure.clientWidth) return;
      event.preventDefault();
      point(names.at((Math.max(names.indexOf(pointed), 0) + step) % names.length));
    });
  }
}
