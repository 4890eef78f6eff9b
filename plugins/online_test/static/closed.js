// Answers of an attempt that is over need not wait in this browser any longer.

for (const attempt of document.querySelector("[data-closed]").dataset.closed.split(" ")) {
  try {
    localStorage.removeItem(`kopir-online-test-${attempt}`);
  } catch {
    // Storage is refused in this frame, so nothing was kept either.
  }
}
