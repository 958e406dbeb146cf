// Three sentences for the first run. "Seen" sends them away for good; the frame remembers, for their HTML may come again.
const KEY = 'lm-first-minute';
const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
const frame = element.closest('#frame');

frame.dataset.minute = remembered() || '';
element.addEventListener('click', (event) => {
  if (!event.target.closest('button')) return;
  frame.dataset.minute = 'seen';
  try { localStorage.setItem(KEY, 'seen'); } catch { /* a private window */ }
});
