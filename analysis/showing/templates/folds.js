// What is linked to may be folded away: a link to it opens all folds around it, also when the page was opened by that address, or the link is followed again.
{
  const unfold = (hash) => {
    const place = document.getElementById(hash.slice(1));
    const folds = [];
    for (let fold = place?.closest("details"); fold; fold = fold.parentElement.closest("details")) folds.push(fold);
    if (folds.every((fold) => fold.open)) return;
    folds.forEach((fold) => (fold.open = true));
    place.scrollIntoView();
    place.querySelector(":scope > summary")?.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link) unfold(link.hash);
  });
  addEventListener("hashchange", () => unfold(location.hash));
  unfold(location.hash);
}
// The menu marks the section that is read: the last whose heading has come into the upper third of the window.
{
  const links = [...document.querySelectorAll("nav a")];
  const headings = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const read = headings.findLastIndex((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
    links.forEach((link, place) => (place === read ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  };
  const seen = new IntersectionObserver(mark, { rootMargin: "0px 0px -66% 0px" });
  headings.forEach((heading) => seen.observe(heading));
}
// A long table can be searched: rows that do not hold what is typed are hidden, and not copied.
for (const table of document.querySelectorAll("table[id^=table-]")) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length <= 20) continue;
  const label = document.createElement("label");
  const field = document.createElement("input");
  const told = document.createElement("span");
  label.className = "search screen";
  field.type = "search";
  told.role = "status";
  field.addEventListener("input", () => {
    const wanted = field.value.trim().toLowerCase();
    rows.forEach((row) => (row.hidden = !row.textContent.toLowerCase().includes(wanted)));
    told.textContent = wanted && `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  });
  label.append("Search ", field, " ", told);
  table.closest(".scroll").before(label);
}
