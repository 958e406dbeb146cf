// Whoever reloads the page finds the tab open that was open.
(() => {
  const open = overReload('lm-tab', () => tabs().findIndex((tab) => tab.matches('[aria-selected=true]')));
  if (open === null) return;
  const ready = new MutationObserver(() => {
    const tab = tabs()[open];
    if (!tab || !document.querySelector('#library .new')) return; // until then Gradio opens the tab it always opens first
    ready.disconnect();
    tab.click();
  });
  ready.observe(document.body, {childList: true, subtree: true});
})();
