// The bench shows; it knows no resistance. Every reading is asked of the page around it, which asks the server.
const voltage = document.getElementById("voltage");
const button = document.querySelector("button");
const show = (id, text) => { document.getElementById(id).textContent = text; };
const comma = (text) => document.documentElement.lang === "en" ? text : text.replace(".", ",");

voltage.addEventListener("input", () => {
  show("shown", comma(voltage.value));
  show("source", comma(Number(voltage.value).toFixed(1)));
});

// A sandboxed frame may not send forms, so the button stands alone.
button.addEventListener("click", () => {
  button.disabled = true;
  parent.postMessage({ kind: "measure", voltage: voltage.value }, "*");
});

addEventListener("message", (event) => {
  if (event.source !== parent || !event.data) return;
  button.disabled = false;
  if (event.data.kind !== "reading") return;
  const u = comma(event.data.voltage), i = comma(event.data.current);
  show("ammeter", i);
  show("voltmeter", u);
  const said = document.getElementById("said");
  said.textContent = said.dataset.reads.replace("{u}", u).replace("{i}", i);
});
