// Typing into the grid. Without this file a date's link opens the lesson as a plain form.
(() => {
  "use strict";
  const note = document.getElementById("note");
  let timer = 0;

  function tell(text) {
    note.textContent = text;
    note.className = "bad";
    note.hidden = false;
    clearTimeout(timer);
    timer = setTimeout(() => { note.hidden = true; }, 6000);
  }

  const table = document.getElementById("grid");
  if (!table) return;

  const sheet = table.parentElement;
  const past = table.querySelectorAll("th.day.past");
  if (past.length) {
    const last = past[past.length - 1];
    sheet.scrollLeft = Math.max(0, last.offsetLeft - sheet.clientWidth / 2);
  }

  function below(cell) {
    const row = cell.parentElement.nextElementSibling;
    return row ? row.children[cell.cellIndex] : null;
  }

  async function save(cell, value, was) {
    const kind = cell.dataset.work ? "mark" : "letter";
    const body = new URLSearchParams({
      kind, place: cell.dataset.work || cell.dataset.lesson, person: cell.dataset.person, value, was,
    });
    try {
      const answer = await fetch("/cells", { method: "POST", body, headers: { "X-CSRF-Token": document.body.dataset.csrf } });
      const said = await answer.json();
      if (!answer.ok) throw new Error(said.error);
      cell.textContent = said.value;
      cell.classList.add("fresh");
      setTimeout(() => cell.classList.remove("fresh"), 1500);
    } catch (error) {
      cell.textContent = was;
      tell(error.message);
    }
  }

  function edit(cell) {
    if (cell.querySelector("input")) return;
    const was = cell.textContent.trim();
    const input = document.createElement("input");
    input.value = was;
    input.maxLength = 9;
    input.setAttribute("aria-label", cell.parentElement.querySelector(".long").textContent);
    cell.textContent = "";
    cell.append(input);
    input.focus();
    input.select();
    let done = false;
    const close = (keep) => {
      if (done) return;
      done = true;
      const value = input.value.trim();
      cell.textContent = keep ? value : was;
      if (keep && value !== was) save(cell, value, was);
    };
    input.addEventListener("blur", () => close(true));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close(false);
      if (event.key !== "Enter") return;
      close(true);
      const next = below(cell);
      if (next) edit(next);
    });
  }

  for (const cell of table.querySelectorAll("td[data-person]")) cell.tabIndex = -1;
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-person]");
    if (cell) edit(cell);
  });
  table.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("td[data-person]")) { event.preventDefault(); edit(event.target); }
  });
  const first = table.querySelector("td[data-person]");
  if (first) first.tabIndex = 0;
  table.addEventListener("keydown", (event) => {
    const cell = event.target;
    if (!cell.matches("td[data-person]")) return;
    const step = { ArrowRight: cell.nextElementSibling, ArrowLeft: cell.previousElementSibling, ArrowDown: below(cell),
      ArrowUp: cell.parentElement.previousElementSibling && cell.parentElement.previousElementSibling.children[cell.cellIndex] }[event.key];
    if (step && step.matches("td[data-person]")) { event.preventDefault(); step.focus(); }
  });
})();
