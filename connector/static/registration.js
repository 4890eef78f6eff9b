// Gives the page back to the LMS that opened it in a frame or a window (Dynamic Registration 1.0, section 3.7).
(() => {
  const close = () => (window.opener || window.parent).postMessage({ subject: "org.imsglobal.lti.close" }, "*");
  for (const button of document.querySelectorAll("[data-lti-close]")) {
    button.addEventListener("click", close);
    const wait = Number(button.dataset.ltiCloseAfter);
    if (wait) setTimeout(close, wait);
  }
  for (const button of document.querySelectorAll("[data-once]")) {
    button.form.addEventListener("submit", () => { button.disabled = true; });
  }
})();
