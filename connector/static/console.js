// The console's small helpers; every page works without them.

// A button that must count once is taken out of reach by its first click.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    const button = event.submitter;
    if (!button || !button.hasAttribute("data-once")) return;
    form.dataset.sent = "yes";
    setTimeout(() => { button.disabled = true; });
  });
}
// Back from the browser's history, a form may be sent again.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

for (const box of document.querySelectorAll("[data-check-all]")) {
  box.addEventListener("change", () => {
    for (const one of box.form.querySelectorAll(`input[name="${box.dataset.checkAll}"]`)) one.checked = box.checked;
  });
}

for (const form of document.querySelectorAll("[data-approve]")) {
  const total = form.querySelector("[data-total]");
  const button = form.querySelector(".console-approve button");
  const count = () => {
    const amount = [...form.querySelectorAll("[data-amount]:checked")].reduce((sum, box) => sum + Number(box.dataset.amount), 0);
    total.textContent = amount;
    button.disabled = amount === 0;
  };
  form.addEventListener("change", count);
  if (!button.disabled || form.querySelector("[data-amount]")) count();
}

for (const choice of document.querySelectorAll("[data-submit-on-change]")) {
  choice.addEventListener("change", () => {
    for (const other of choice.form.querySelectorAll("select")) if (other !== choice) other.disabled = true;
    choice.form.submit();
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

const card = document.querySelector("[data-progress]");
if (card) {
  const text = card.querySelector("[data-progress-text]");
  const bar = card.querySelector("progress");
  const look = async () => {
    try {
      const answer = await fetch(card.dataset.progress, { headers: { Accept: "application/json" } });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) {
        const state = await answer.json();
        if (state.doing !== card.dataset.doing) { location.replace(location.pathname + location.hash); return; }
        if (text.textContent !== state.text) text.textContent = state.text;
        if (state.total) { bar.max = state.total; bar.value = state.done; }
      }
    } catch { /* The server restarts; the next look finds it. */ }
    setTimeout(look, 2000);
  };
  setTimeout(look, 1000);
}
