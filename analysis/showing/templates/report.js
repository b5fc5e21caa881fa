"use strict";
// Tables sort by the heading that is pressed; numbers by value, the rest by the alphabet.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const key = (row) => {
        const text = row.cells[column].textContent.replaceAll("−", "-").replaceAll(",", "");
        const number = parseFloat(text.replace(/^[^0-9+.-]+/, ""));
        return head.classList.contains("number") ? (Number.isNaN(number) ? -Infinity : number) : text;
      };
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        return typeof x === "number" ? x - y : x.localeCompare(y);
      });
      if (!ascending) rows.reverse();
      table.tBodies[0].append(...rows);
    });
  });
}
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = "Copied";
  });
}
// The seed-luck slider: position i is always the same draw, so that what one saw can be shown to others.
const luck = document.getElementById("luck-data");
if (luck) {
  const { wrong, test_images } = JSON.parse(luck.textContent);
  const names = [...document.querySelectorAll(".luck-row")].map((row) => row.dataset.configuration); // JSON's order is its own
  const most = Math.max(...names.flatMap((name) => wrong[name]));
  const slider = document.getElementById("luck-slider");
  const rows = [...document.querySelectorAll(".luck-row")];
  const random = (seed) => {
    // mulberry32, a public-domain generator
    let state = (seed + 0x6d2b79f5) | 0;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  };
  const draw = (position) => {
    const next = random(position * 7919);
    return names.map((name) => wrong[name][Math.floor(next() * wrong[name].length)]);
  };
  const winner = (drawn) => {
    const least = Math.min(...drawn);
    return drawn.filter((n) => n === least).length === 1 ? drawn.indexOf(least) : -1;
  };
  const show = () => {
    const drawn = draw(Number(slider.value));
    const won = winner(drawn);
    rows.forEach((row, i) => {
      row.toggleAttribute("data-won", i === won);
      row.querySelector(".luck-bar").style.width = `${(100 * drawn[i]) / most}%`;
      row.querySelector("span").textContent = `${drawn[i]} wrong`;
    });
    const told = won < 0 ? "a tie" : `“${names[won]}” wins, with ${((100 * (test_images - drawn[won])) / test_images).toFixed(2)}%`;
    document.getElementById("luck-told").textContent = `Draw ${slider.value}: ${told}.`;
  };
  slider.addEventListener("input", show);
  document.getElementById("luck-contest").hidden = false;
  show();
}
