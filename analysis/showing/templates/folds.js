// What is linked to may be folded away: a link to it opens all folds around it, also when the page was opened by that address, or the link is followed again.
{
  const unfold = (hash) => {
    const place = document.getElementById(hash.slice(1));
    const folds = [];
    for (let fold = place?.closest("details"); fold; fold = fold.parentElement.closest("details")) folds.push(fold);
    if (folds.every((fold) => fold.open)) return;
    folds.forEach((fold) => (fold.open = true));
    place.scrollIntoView();
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="#"]');
    if (link) unfold(link.hash);
  });
  addEventListener("hashchange", () => unfold(location.hash));
  unfold(location.hash);
}
// The menu marks the section that is read: the last whose heading has come into the upper third of the window, or, at the page's end, the last.
{
  const links = [...document.querySelectorAll("nav a")];
  const headings = links.map((link) => document.getElementById(link.hash.slice(1)));
  const mark = () => {
    const ended = scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2;
    const read = ended ? links.length - 1 : headings.findLastIndex((heading) => heading.getBoundingClientRect().top < innerHeight / 3);
    links.forEach((link, place) => (place === read ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current")));
  };
  addEventListener("scroll", mark, { passive: true });
  mark();
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
