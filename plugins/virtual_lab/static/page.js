// Stands between the bench, which has no network, and the server, which measures and keeps the record.
const bench = document.getElementById("bench");
const said = document.getElementById("said");
const rows = document.querySelector("#readings tbody");
// Read anew each time: an open page's token is renewed.
const token = () => document.querySelector("meta[name=kopir-token]")?.content ?? "";

const comma = (text) => (document.documentElement.lang === "en" ? text : text.replace(".", ","));

const cell = (text, number) => {
  const td = document.createElement("td");
  td.textContent = text;
  if (number) td.className = "kopir-num";
  return td;
};

addEventListener("message", async (event) => {
  // A sandboxed frame has no origin of its own, so the window it came from is what tells it.
  if (event.source !== bench.contentWindow || event.data?.kind !== "measure") return;
  let answer = { kind: "failed" };
  try {
    const reply = await fetch(bench.dataset.measure, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Kopir-Token": token() },
      body: JSON.stringify({ voltage: String(event.data.voltage) }),
    });
    const reading = await reply.json();
    if (reply.ok) {
      const row = document.createElement("tr");
      row.append(cell(String(rows.rows.length + 1)), cell(comma(reading.voltage), true), cell(comma(reading.current), true));
      rows.append(row);
      row.scrollIntoView({ block: "nearest" });
      said.textContent = "";
      answer = { kind: "reading", ...reading };
    } else {
      said.textContent = reading.error ?? said.dataset.failed;
    }
  } catch {
    said.textContent = said.dataset.failed;
  }
  bench.contentWindow.postMessage(answer, "*");
});
