// The language of the page, which the server has written into it (`playground/spoken.py`): Gradio takes the words of its
// widgets from what the browser says of itself, and from nothing else.
(() => {
  const language = document.documentElement.lang;
  Object.defineProperty(navigator, 'language', {configurable: true, get: () => language});
  // A Space stands in a frame of another site, where only a partitioned cookie is kept.
  const manners = location.protocol === 'https:' ? 'SameSite=None; Secure; Partitioned' : 'SameSite=Lax';
  window.lmSpeak = (wanted) => {
    document.cookie = `lm-language=${wanted}; path=/; max-age=31536000; ${manners}`;
    location.reload();
  };
})();
