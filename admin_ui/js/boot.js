// A classic script, so that the chosen theme stands before the first paint; modules run too late for that.
try {
  const theme = localStorage.getItem('gateway.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* storage is blocked: the system's theme it is */ }

// In a frame (a Hugging Face Space's page) links and forms open a tab: the admin may stand in no frame, and in one of
// another site browsers send no cookie of ours.
if (window.top !== window) {
  const base = document.createElement('base');
  base.target = '_blank';
  document.head.append(base);
}
