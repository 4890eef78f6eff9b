// Hands a choice to the page of ours that asked for it: around this one, or the one that opened this window.
"use strict";
(() => {
  const { chosen, count, launch } = document.querySelector("[data-tool-choice]").dataset;
  const told = { subject: "kopir.chosen", chosen, count: Number(count), launch };
  const asked = window.opener || (window.parent === window ? null : window.parent);
  if (asked) asked.postMessage(told, location.origin);
  if (window.opener) window.close();
})();
