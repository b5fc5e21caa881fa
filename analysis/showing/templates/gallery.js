{
  const form = document.querySelector(".gallery-filters");
  form.hidden = false;
  form.addEventListener("change", () => {
    const boxes = [...form.querySelectorAll("input")];
    boxes.forEach((box) => { document.querySelector(`[data-gallery="${box.value}"]`).hidden = !box.checked; });
    document.querySelector(".gallery-sheets").style.setProperty("--gallery-columns", Math.max(1, boxes.filter((box) => box.checked).length));
    const label = form.querySelector("select").value;
    document.querySelectorAll(".gallery-sheets li").forEach((item) => { item.hidden = label !== "" && item.dataset.label !== label; });
  });
}
