{
  const form = document.querySelector(".gallery-filters");
  const items = [...document.querySelectorAll(".gallery-sheet details")];
  form.hidden = false;
  form.addEventListener("change", () => {
    const [wrong, label] = [...form.querySelectorAll("select")].map((select) => select.value);
    items.forEach((item) => {
      item.hidden = (label !== "" && item.dataset.label !== label) || (wrong !== "" && !item.dataset.wrong.includes(` ${wrong} `));
    });
  });
  // The address of an image opens it; Escape closes what is open, and stays where one was.
  const open = () => {
    const item = items.find((own) => `#${own.id}` === location.hash);
    if (!item) return;
    item.hidden = false;
    for (let around = item; around; around = around.parentElement.closest("details")) around.open = true;
    item.scrollIntoView({ block: "nearest" });
    item.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", open);
  document.querySelector(".gallery-sheet").addEventListener("keydown", (event) => {
    const item = event.target.closest("details[open]");
    if (event.key !== "Escape" || !item) return;
    item.open = false;
    item.querySelector("summary").focus();
  });
  open();
}
