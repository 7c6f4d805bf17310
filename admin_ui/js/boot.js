// A classic script, so that the chosen theme stands before the first paint; modules run too late for that.
try {
  const theme = localStorage.getItem('gateway.theme');
  if (theme) document.documentElement.dataset.theme = theme;
} catch { /* storage is blocked: the system's theme it is */ }
