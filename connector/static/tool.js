// Opens a third-party tool in its frame, gives the frame the height it asks for, and takes back what was chosen in it.
// What a tool may say to this page is listed here; anything else, and anything from elsewhere, is passed over.
"use strict";
(() => {
  const frame = document.getElementById("kopir-tool");
  const origins = new Set(frame.dataset.origins.split(" "));
  document.querySelector("form[data-tool-login]").submit();

  const resize = height => {
    const wanted = Math.round(Number(height));
    if (wanted >= 200 && wanted <= 8000) frame.style.height = `${wanted}px`;
  };

  const take = told => {
    const form = document.querySelector("form[data-tool-chosen]");
    if (!form || told.launch !== frame.dataset.launch) return;
    document.querySelector("[data-tool-nothing]").hidden = told.count > 0;
    if (told.count < 1) return;
    form.elements.chosen.value = told.chosen;
    form.submit();
  };

  window.addEventListener("message", event => {
    let told = event.data;
    if (typeof told === "string") try { told = JSON.parse(told); } catch { return; }
    if (typeof told !== "object" || told === null) return;
    if (event.origin === location.origin && told.subject === "kopir.chosen") take(told);
    if (event.source === frame.contentWindow && origins.has(event.origin) && told.subject === "lti.frameResize") resize(told.height);
  });
})();
