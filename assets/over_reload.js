// Keeps something over a reload, and only over that: `now()` is asked when the page is left, and what it said comes back
// where the page was reloaded, else null. Only this window knows it. It stands before the page's components, which use it.
const overReload = (key, now) => {
  let left = null;
  try {
    if (performance.getEntriesByType('navigation')[0]?.type === 'reload') left = JSON.parse(sessionStorage.getItem(key));
    sessionStorage.removeItem(key);
  } catch { /* a private window */ }
  addEventListener('pagehide', () => {
    try { sessionStorage.setItem(key, JSON.stringify(now())); } catch { /* full, or private */ }
  });
  return left;
};
