// Sends a page's one form at once; without scripts its button does.
for (const form of document.querySelectorAll("form[data-submit-at-once]")) form.submit();
