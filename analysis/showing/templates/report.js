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
// Outside a secure context there is no clipboard: what is to be copied is shown, selected.
const copy = async (text, button) => {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.readOnly = true;
    area.rows = 6;
    area.setAttribute("aria-label", "Selected: copy it with the keyboard");
    button.parentElement.querySelector("textarea")?.remove();
    button.parentElement.append(area);
    area.select();
  }
};
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(document.getElementById(button.dataset.copy).textContent.trim(), button));
}
// A table as it is sorted now, as text: minus signs are ASCII's, and no spreadsheet takes a cell for a formula.
const LATEX = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "[": "{[}", "*": "{*}", "<": "\\ensuremath{<}", ">": "\\ensuremath{>}", "|": "\\ensuremath{|}", "`": "\\textasciigrave{}", "–": "--", "×": "\\ensuremath{\\times}", "±": "\\ensuremath{\\pm}", "≈": "\\ensuremath{\\approx}", "✓": "\\ensuremath{\\surd}", "✗": "\\ensuremath{\\times}", "²": "\\ensuremath{^2}", "η": "\\ensuremath{\\eta}", "α": "\\ensuremath{\\alpha}" };
const copied = {
  TSV: (rows) => rows.map((row) => row.map((cell) => (/^'*\s*[=+\-@＝＋－＠]/.test(cell) && !/^[-+][\d.,]+%?( \(?([a-z]+|[-+]?[\d.,]+%?)[),]*)*$/.test(cell) ? `'${cell}` : cell)).join("\t")).join("\n"),
  Markdown: (rows, numeric) => {
    const line = (cells) => `| ${cells.join(" | ")} |`;
    const told = rows.map((row) => line(row.map((cell) => cell.replace(/[\\`*_{}[\]<>#|~$]/g, "\\$&"))));
    return [told[0], line(numeric.map((is) => (is ? "---:" : "---"))), ...told.slice(1)].join("\n");
  },
  LaTeX: (rows, numeric) => {
    const escaped = (cell) => cell.replace(/[&%$#_{}]|[\\~^[*<>|`–×±≈✓✗²ηα]/g, (sign) => LATEX[sign] ?? `\\${sign}`).replace(/^-(?=[\d.])|(?<=to |\()-(?=[\d.])/g, "$-$");
    const told = rows.map((row) => `${row.map(escaped).join(" & ")} \\\\`);
    const columns = numeric.map((is) => (is ? "r" : "l")).join("");
    return [`\\begin{tabular}{${columns}}`, "\\toprule", told[0], "\\midrule", ...told.slice(1), "\\bottomrule", "\\end{tabular}"].join("\n");
  },
};
for (const table of document.querySelectorAll("table[id^=table-]")) {
  const bar = document.createElement("p");
  bar.className = "copy screen";
  bar.append("Copy as ");
  for (const [name, written] of Object.entries(copied)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.setAttribute("aria-label", `Copy this table as ${name}: ${table.id.replace("table-", "").replaceAll("_", " ")}`);
    button.addEventListener("click", () => {
      const text = (cell) => cell.textContent.replaceAll("−", "-").replace(/\s+/g, " ").trim();
      copy(written([...table.rows].map((row) => [...row.cells].map(text)), [...table.tHead.rows[0].cells].map((head) => head.classList.contains("number"))), button);
    });
    bar.append(button, " ");
  }
  table.closest(".scroll").after(bar);
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
// What if: which answer stands at which number of blocks and margin is in the page, computed by the analysis; here it is only looked up.
const whatIf = document.getElementById("what-if-data");
if (whatIf) {
  const { firsts, margins, own, lines } = JSON.parse(whatIf.textContent);
  const at = (name) => document.getElementById(`what-if-${name}`);
  const [blocks, margin] = [at("firsts"), at("margin")];
  const rows = [...document.querySelectorAll(".what-if > div")];
  const said = (line, n, m) => line[n].findLast(([from]) => from <= m);
  const reported = lines.map((line) => said(line, firsts.length - 1, own));
  const show = () => {
    const [n, m] = [Number(blocks.value), margin ? Number(margin.value) : own];
    const moved = rows.filter((row, i) => {
      const [, text, answer] = said(lines[i], n, m);
      const moves = answer !== reported[i][2];
      row.toggleAttribute("data-moved", moves);
      row.querySelector("span").textContent = text;
      row.querySelector("small").textContent = moves ? `reported: ${reported[i][1]}` : "";
      return moves;
    });
    for (const [control, output, words] of [[blocks, at("n"), firsts[n]], [margin, at("m"), margins[m]]]) {
      control?.setAttribute("aria-valuetext", words);
      if (control) output.textContent = words;
    }
    const first = moved.slice(0, 3).map((row) => `${row.querySelector("dt").textContent}: ${row.querySelector("span").textContent}`).join("; ");
    const more = moved.length > 3 ? `; and ${moved.length - 3} more` : "";
    at("told").textContent = moved.length ? `${moved.length} of ${rows.length} answers would differ. ${first}${more}.` : "Every answer is as in this report.";
  };
  for (const control of [blocks, margin]) control?.addEventListener("input", show);
  at("reset").addEventListener("click", () => {
    blocks.value = firsts.length - 1;
    if (margin) margin.value = own;
    show();
  });
  document.getElementById("what-if").hidden = false;
  show();
}
