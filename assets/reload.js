// Whoever reloads the page finds the tab open that was open. Only this window knows it, and only until then.
(() => {
  const KEY = 'lm-tab';
  let open = null;
  try {
    if (performance.getEntriesByType('navigation')[0]?.type === 'reload') open = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
  } catch { /* a private window */ }
  addEventListener('pagehide', () => {
    const at = tabs().findIndex((tab) => tab.matches('[aria-selected=true]'));
    try { sessionStorage.setItem(KEY, at); } catch { /* a private window */ }
  });
  if (open === null) return;
  const ready = new MutationObserver(() => {
    const tab = tabs()[open];
    if (!tab || !document.querySelector('#library .new')) return; // until then Gradio opens the tab it always opens first
    ready.disconnect();
    tab.click();
  });
  ready.observe(document.body, {childList: true, subtree: true});
})();
