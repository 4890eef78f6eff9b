// Sends a page's one form at once, or after so many milliseconds; without scripts its button does.
for (const form of document.querySelectorAll("form[data-submit-at-once]")) form.submit();
for (const form of document.querySelectorAll("form[data-submit-after]")) {
  let sent = false;
  form.addEventListener("submit", (event) => {
    // One press and the clock at the same moment post one launch, not two.
    if (sent) event.preventDefault();
    sent = true;
  });
  setTimeout(() => { if (!sent) form.requestSubmit(); }, Number(form.dataset.submitAfter));
}
