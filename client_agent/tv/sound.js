/* Volume and captions: as they were left, by whoever left them, on this page or in mpv; the agent keeps them. */
(function () {
  'use strict';
  var Views = TV.Views, Screen = TV.Screen, byId = Views.byId, setText = Views.setText, show = Views.show;
  TV.words({
    volume: '音量', muted: '静音', captions_language: '字幕语言', captions_zh: '中文', captions_en: '英文'
  }, {
    volume: 'Volume', muted: 'Muted', captions_language: 'Caption language', captions_zh: 'Chinese', captions_en: 'English'
  });
  var STEP = 5, LOUDEST = 100, SHOWN_MS = 2500, KEEP_MS = 500;
  var shownUntil = 0, saving = null, quiet = false;
  var Sound = TV.Sound = { volume: 80, captions: true, language: 'zh' };

  Sound.take = function (kept) {
    Sound.volume = Math.max(0, Math.min(LOUDEST, Math.round(kept.volume)));
    Sound.captions = kept.captions;
    Sound.language = kept.language;
    apply();
  };
  function apply() {
    Screen.setVolume(Sound.volume / LOUDEST);
    Screen.setQuiet(quiet);
    Screen.setCaptions(Sound.captions, Sound.language);
  }
  /* Several presses in a row are one telling. */
  function keepSoon() {
    if (saving) { clearTimeout(saving); }
    saving = setTimeout(keep, KEEP_MS);
  }
  function keep() {
    if (saving) { clearTimeout(saving); }
    saving = null;
    TV.post('/api/watching', { volume: Sound.volume, captions: Sound.captions, language: Sound.language }, function () {});
  }

  Sound.key = function (key) {
    if (key === 'mute') { quiet = !quiet; } else {
      quiet = false;
      Sound.volume = Math.max(0, Math.min(LOUDEST, Sound.volume + (key === 'louder' ? STEP : -STEP)));
      keepSoon();
    }
    apply();
    shownUntil = TV.perf() + SHOWN_MS;
    Sound.paint();
  };
  /* In 设置 one key goes through all loudnesses. */
  Sound.turn = function () { if (Sound.volume >= LOUDEST) { Sound.volume = 0; } Sound.key('louder'); };
  Sound.setCaptions = function (on, language) {
    Sound.captions = on;
    Sound.language = language;
    apply();
    keep();
  };

  Sound.paint = function () {
    var on = TV.perf() < shownUntil || quiet, whole = byId('volume-fill');
    show('volume', on);
    if (!on) { return; }
    setText('volume-label', TV.say(quiet ? 'muted' : 'volume'));
    setText('volume-number', quiet ? '×' : String(Sound.volume));
    whole.style.width = (quiet ? 0 : Sound.volume) + '%';
  };
}());
