// The sitting page: saves each answer as it is given, shows the clock, pages through questions, submits.

import { Queue } from "./queue.js";

const root = document.querySelector("[data-sitting]");
const form = root.querySelector("form");
const data = root.dataset;
const find = (selector) => root.querySelector(selector);
const fieldsets = [...root.querySelectorAll("fieldset[data-question]")];
const preview = data.preview === "yes";
const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => values[name]);

const value = (fieldset) => {
  const kind = fieldset.dataset.kind;
  if (kind === "matching") {
    const chosen = [...fieldset.querySelectorAll("select")].filter((select) => select.value);
    return Object.fromEntries(chosen.map((select) => [select.dataset.stem, select.value]));
  }
  if (kind === "multiple") return [...fieldset.querySelectorAll("input:checked")].map((input) => input.value);
  if (kind === "single" || kind === "true_false") return fieldset.querySelector("input:checked")?.value ?? "";
  return fieldset.querySelector("input[type=text]").value;
};

const apply = (fieldset, kept) => {
  const kind = fieldset.dataset.kind;
  for (const input of fieldset.querySelectorAll("input[type=radio], input[type=checkbox]")) {
    input.checked = kind === "multiple" ? kept.includes(input.value) : kept === input.value;
  }
  for (const select of fieldset.querySelectorAll("select")) select.value = kept[select.dataset.stem] ?? "";
  const typed = fieldset.querySelector("input[type=text]");
  if (typed) typed.value = kept;
};

const isEmpty = (fieldset) => {
  const given = value(fieldset);
  return typeof given === "string" ? given.trim() === "" : Object.keys(given).length === 0;
};

// What was on the page when the server made it.
const shown = (fieldset) => {
  const was = fieldset.querySelector("input[name^=was-]");
  return was ? JSON.parse(was.value) : null;
};
const same = (one, other) => {
  const flat = (given) => JSON.stringify(typeof given === "string" ? given : Object.entries(given).sort());
  return flat(one) === flat(other);
};

const countAnswers = () => {
  const empty = fieldsets.flatMap((fieldset, index) => (isEmpty(fieldset) ? [index + 1] : []));
  root.querySelectorAll("[data-goto]").forEach((link) => {
    link.classList.toggle("ot-done", !empty.includes(Number(link.dataset.goto)));
  });
  const line = find("[data-count]");
  if (!line) return;
  const done = fill(data.textAnswered, { done: fieldsets.length - empty.length, count: fieldsets.length });
  line.textContent = done + (empty.length ? ". " + fill(data.textEmpty, { numbers: empty.join(", ") }) : "");
};

let leaving = false;
const queue = new Queue({
  attempt: data.attempt,
  url: data.answerUrl,
  // Read anew each time: an open page's token is renewed.
  token: () => document.querySelector('meta[name="kopir-token"]')?.content ?? "",
  base: Number(data.seq),
  onNote: (question, text) => {
    const note = root.querySelector(`fieldset[data-question="${question}"] [data-note]`);
    if (note) note.textContent = text;
  },
  onChange: (state, answer = {}) => show(state, answer),
});

const show = (state, answer = {}) => {
  const line = find("[data-state]");
  const alert = find("[data-alert]");
  const time = new Date().toLocaleTimeString("ru-RU", { hour: "2-digit", minute: "2-digit" });
  const texts = {
    saving: data.textSaving,
    saved: fill(data.textSaved, { time }),
    unsaved: data.textUnsaved,
    lost: data.textLost,
  };
  line.textContent = texts[state] ?? answer.message ?? "";
  line.classList.toggle("text-danger", !["saving", "saved"].includes(state));
  line.classList.toggle("fw-bold", !["saving", "saved"].includes(state));
  alert.hidden = !["unsaved", "lost", "closed"].includes(state);
  if (!alert.hidden && alert.textContent !== line.textContent) alert.textContent = line.textContent;
  if (state === "closed") close();
};

const close = () => {
  fieldsets.forEach((fieldset) => (fieldset.disabled = true));
  leaving = true;
  // By a link in the page: the host carries links where no cookie lives, and a script's own jump it cannot.
  const home = Object.assign(document.createElement("a"), { href: data.homeUrl, hidden: true });
  document.body.append(home);
  setTimeout(() => home.click(), 3000);
};

const timers = new Map();
const keep = (fieldset) => {
  clearTimeout(timers.get(fieldset));
  timers.delete(fieldset);
  queue.put(fieldset.dataset.question, value(fieldset));
};
const keepTyped = () => [...timers.keys()].forEach(keep);

const watchAnswers = () => {
  form.addEventListener("input", (event) => {
    const fieldset = event.target.closest("fieldset[data-question]");
    if (!fieldset) return;
    countAnswers();
    if (preview) return;
    clearTimeout(timers.get(fieldset));
    if (event.target.type === "text") timers.set(fieldset, setTimeout(() => keep(fieldset), 700));
    else keep(fieldset);
  });
  form.addEventListener("change", keepTyped);
  window.addEventListener("online", () => queue.pump());
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "hidden") return;
    keepTyped();
    queue.flush();
  });
  window.addEventListener("beforeunload", (event) => {
    keepTyped();
    if (!leaving && queue.pending.size) event.preventDefault();
  });
};

const submit = () => {
  keepTyped();
  leaving = true;
  form.elements.script.value = "yes";
  form.elements.pending.value = JSON.stringify(queue.list());
  const action = document.createElement("input");
  Object.assign(action, { type: "hidden", name: "action", value: "submit" });
  form.append(action);
  // The fields themselves stay behind: what counts is what was saved and what is pending.
  fieldsets.forEach((fieldset) => (fieldset.disabled = true));
  form.submit();
};

const watchSubmit = () => {
  const ask = find("[data-confirm]");
  root.querySelectorAll("[data-plain]").forEach((button) => (button.hidden = true));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepTyped();
    if (event.submitter === find("[data-sure]")) {
      // Without a connection the browser would show its own error page in place of the answers.
      if (!navigator.onLine || queue.tries > 0) {
        show("unsaved");
        queue.pump();
        return;
      }
      event.submitter.disabled = true;
      submit();
    } else if (event.submitter === find("[data-submit]")) {
      ask.hidden = false;
      find("[data-submit]").hidden = true;
      ask.scrollIntoView({ block: "center" });
      find("[data-confirm-text]").focus({ preventScroll: true });
    }
  });
  find("[data-not-yet]").addEventListener("click", () => {
    ask.hidden = true;
    find("[data-submit]").hidden = false;
    find("[data-submit]").focus();
  });
};

const watchClock = () => {
  if (data.secondsLeft === "") return;
  const end = Date.now() + Number(data.secondsLeft) * 1000;
  const start = performance.now();
  const total = Number(data.secondsLeft);
  const said = new Set();
  const tick = () => {
    // Whichever clock went further: one may be set back by hand, the other sleeps with the device.
    const left = Math.ceil(Math.min((end - Date.now()) / 1000, total - (performance.now() - start) / 1000));
    const shown = Math.max(0, left);
    const time = `${Math.floor(shown / 60)}:${String(shown % 60).padStart(2, "0")}`;
    find("[data-clock]").textContent = fill(data.textLeft, { time });
    find("[data-clock]").classList.toggle("text-danger", shown <= 60);
    for (const minutes of [10, 5, 1]) {
      if (shown <= minutes * 60 && shown > minutes * 60 - 5 && !said.has(minutes)) {
        said.add(minutes);
        find("[data-announce]").textContent = fill(data.textMinutes, { minutes });
      }
    }
    if (shown <= 2) keepTyped();
    if (left > 0) return;
    clearInterval(timer);
    find("[data-announce]").textContent = data.textOver;
    submit();
  };
  const timer = setInterval(tick, 1000);
  tick();
};

const watchPages = () => {
  find("[data-numbers]").hidden = false;
  if (data.paging !== "one") return;
  let at = 0;
  const go = (to, focus = true) => {
    at = Math.max(0, Math.min(fieldsets.length - 1, to));
    fieldsets.forEach((fieldset, index) => (fieldset.hidden = index !== at));
    find("[data-back]").disabled = at === 0;
    find("[data-next]").disabled = at === fieldsets.length - 1;
    root.querySelectorAll("[data-goto]").forEach((link) => {
      if (Number(link.dataset.goto) === at + 1) link.setAttribute("aria-current", "step");
      else link.removeAttribute("aria-current");
      link.classList.toggle("active", Number(link.dataset.goto) === at + 1);
    });
    if (focus) fieldsets[at].querySelector("legend").focus();
  };
  find("[data-steps]").hidden = false;
  find("[data-back]").addEventListener("click", () => go(at - 1));
  find("[data-next]").addEventListener("click", () => go(at + 1));
  root.addEventListener("click", (event) => {
    const link = event.target.closest("[data-goto]");
    if (!link) return;
    event.preventDefault();
    go(Number(link.dataset.goto) - 1);
  });
  go(0, false);
};

watchAnswers();
watchPages();
if (preview) {
  form.addEventListener("submit", (event) => event.preventDefault());
} else {
  watchSubmit();
  watchClock();
  for (const [question, kept] of queue.restore()) {
    const fieldset = fieldsets.find((item) => item.dataset.question === question);
    if (fieldset) apply(fieldset, kept);
  }
  // A quick hand answers before this script has come; what it did is on the page and nowhere else.
  for (const fieldset of fieldsets) {
    const waiting = queue.pending.has(fieldset.dataset.question);
    if (!waiting && !same(value(fieldset), shown(fieldset))) keep(fieldset);
  }
}
countAnswers();
