/* The picture: two <video> elements, one shown, one getting ready, so that nothing black stands between items.
   What is shown is a "show": {mode, release, url, media_ms, ...}; for the channel's line also key, starts_ms, ends_ms.

     idle ── put(show) ──► loading ── playing ──► shown ── put(next) ──► …      the old one keeps its last picture
                              └── error ──► failed(show)                         until the new one moves
*/
(function () {
  'use strict';
  var REPORT_MS = 2000, QUIET_REPORT_MS = 10000, STUCK_MS = 8000, AHEAD_MS = 20000, DRIFT_MS = 4000;
  var videos = [document.getElementById('video-a'), document.getElementById('video-b')];
  var front = 0;              /* index of the video that is shown */
  var shown = null;           /* the show on it */
  var coming = null;          /* the show that is being put on, until it moves */
  var ready = null;           /* the show loaded ahead on the other video */
  var unready = null;         /* the key of one that could not be */
  var reports = [], sending = false, lastReport = 0, lastMoved = 0, lastPosition = -1;
  var muted = true;           /* the browser gives no sound before a key was pressed */
  var quiet = false, covered = false, touched = false, language = 'zh';

  var Screen = TV.Screen = {
    onFailed: function () {}, onEnded: function () {}, onShown: function () {}, onMuted: function () {}, onAsked: function () {}
  };

  /* --- putting on --- */
  Screen.put = function (show) {
    var other = videos[1 - front];
    if (shown) { report(shown, stateOf(videos[front])); videos[front].pause(); }
    coming = show;
    show.asked = TV.perf();
    if (ready && ready.key === show.key && !other.error) { ready = null; other.show = show; begin(other, show); return; }
    ready = null;
    load(other, show);
  };

  Screen.ahead = function (show) {
    if (coming || unready === show.key || (ready && ready.key === show.key)) { return; }
    ready = show;
    load(videos[1 - front], show);
  };

  Screen.clear = function () {
    if (shown) { report(shown, 'paused'); }
    shown = coming = ready = null;
    unload(videos[0]); unload(videos[1]);
  };

  Screen.shown = function () { return shown; };
  Screen.wanted = function () { return coming || shown; };
  Screen.video = function () { return videos[front]; };
  Screen.position = function () { return shown ? Math.round(videos[front].currentTime * 1000) : 0; };
  Screen.over = function () { return !!shown && videos[front].ended; };
  Screen.playing = function () { return !!shown && !videos[front].paused; };

  function load(video, show) {
    video.show = show;
    removeTracks(video);
    video.preload = 'auto';
    video.muted = muted || quiet;
    video.src = show.url;
    if (show.captions && show.captions.length) { addTrack(video, captionsOf(show)); }
    video.load();
  }

  function unload(video) {
    video.show = null;
    video.classList.remove('front');
    video.pause();
    removeTracks(video);
    video.removeAttribute('src');
    video.load();
  }

  function target(show) {
    if (show.mode !== 'linear' || TV.now() === null) { return (show.from_ms || 0) / 1000; }
    return (Math.max(TV.now(), show.starts_ms + show.offset_ms) - show.starts_ms) / 1000;
  }

  function begin(video, show) {
    var at = target(show);
    if (Math.abs(video.currentTime - at) > 1) { video.currentTime = at; }
    video.muted = muted || quiet;
    var started = video.play();
    if (started && started.catch) {
      started.catch(function (error) {
        if (error.name === 'NotAllowedError' && !video.muted) { Screen.setMuted(true); begin(video, show); }
      });
    }
  }

  videos.forEach(function (video) {
    video.addEventListener('loadedmetadata', function () {
      if (!video.show) { return; }
      var at = target(video.show);
      if (at > 0.2 && at < video.duration - 0.3) { video.currentTime = at; }
      if (video.show === coming) { begin(video, coming); }
    });
    video.addEventListener('playing', function () {
      if (video.show && video.show === coming) { swapTo(video); }
      if (video.show === shown) { moved(); say('playing'); }
    });
    video.addEventListener('pause', function () { if (video.show === shown && !video.ended) { say('paused'); } });
    video.addEventListener('waiting', function () { if (video.show === shown) { say('stalled'); } });
    video.addEventListener('ended', function () {
      if (video.show !== shown || !shown) { return; }
      say('ended');
      Screen.onEnded(shown);
    });
    video.addEventListener('error', function () {
      var show = video.show;
      if (!show || !video.getAttribute('src')) { return; }
      if (show === ready) { unready = show.key; ready = null; return; }
      if (show === shown) { say('stalled'); }
      fail(show);
    });
  });

  function swapTo(video) {
    var old = videos[front];
    front = videos.indexOf(video);
    shown = coming;
    coming = null;
    lastPosition = -1;
    moved();
    video.classList.add('front');
    if (old !== video) { unload(old); }
    register(shown);
    Screen.onShown(shown);
  }

  function fail(show) {
    if (show === coming) { coming = null; }
    if (show === shown) { shown = null; }
    Screen.onFailed(show);
  }

  /* --- sound, captions, moving about --- */
  Screen.setMuted = function (value) {
    muted = value;
    hush();
    Screen.onMuted(value);
  };
  function hush() { videos[0].muted = videos[1].muted = muted || quiet || covered; }
  Screen.setQuiet = function (value) { quiet = value; hush(); };
  Screen.setVolume = function (share) { videos[0].volume = videos[1].volume = share; };
  /* Something else lies over the whole picture: it is not heard, and it is not being watched. */
  Screen.cover = function (value) {
    if (shown) { report(shown, stateOf(videos[front])); }
    covered = value;
    hush();
    if (shown) { report(shown, stateOf(videos[front])); }
  };
  Screen.muted = function () { return muted; };

  Screen.setCaptions = function (on, wanted) {
    Screen.captions = on;
    if (wanted && wanted !== language) {
      language = wanted;
      videos.forEach(function (video) {
        if (video.show && video.show.captions && video.show.captions.length > 1) { removeTracks(video); addTrack(video, captionsOf(video.show)); }
      });
    }
    videos.forEach(function (video) {
      for (var i = 0; i < video.textTracks.length; i++) { video.textTracks[i].mode = on ? 'showing' : 'disabled'; }
    });
  };

  /* A play that a pause or another picture overtakes is no error. */
  function play(video) {
    var started = video.play();
    if (started && started.catch) { started.catch(function () {}); }
  }

  Screen.toggle = function () {
    var video = videos[front];
    if (!shown) { return; }
    if (video.paused) { play(video); } else { video.pause(); }
  };

  Screen.skip = function (ms) { if (shown) { Screen.seek(videos[front].currentTime * 1000 + ms); } };
  Screen.seek = function (ms) {
    if (!shown) { return; }
    var video = videos[front];
    say(stateOf(video));
    video.currentTime = Math.min(Math.max(0, ms / 1000), Math.max(0, (video.duration || 0) - 1));
    report(shown, stateOf(video), true);
  };

  /* In the language somebody chose, else in the first there is. */
  function captionsOf(show) {
    for (var i = 0; i < show.captions.length; i++) { if (show.captions[i].language.split('-')[0] === language) { return show.captions[i]; } }
    return show.captions[0];
  }
  function addTrack(video, captions) {
    var track = document.createElement('track');
    track.kind = 'subtitles'; track.srclang = captions.language; track.label = captions.language; track.src = captions.url;
    video.appendChild(track);
    track.track.mode = Screen.captions ? 'showing' : 'disabled';
  }
  function removeTracks(video) { while (video.firstChild) { video.removeChild(video.firstChild); } }

  /* --- the account: where we are, every two seconds and at each event --- */
  function stateOf(video) {
    if (document.hidden || covered) { return 'hidden'; }
    if (video.ended) { return 'ended'; }
    if (video.paused) { return 'paused'; }
    return video.readyState < 3 ? 'stalled' : 'playing';
  }

  function say(state) { report(shown, document.hidden && state === 'playing' ? 'hidden' : state); }

  /* A key was pressed: told with the next report, or at once. */
  Screen.touch = function () { touched = true; };
  Screen.tell = function () { if (shown) { say(stateOf(videos[front])); } };

  function report(show, state, jump) {
    if (!show || show.uncounted) { return; }
    lastReport = TV.perf();
    if (!show.play) { return; }
    reports.push({ show: show, position_ms: Math.max(0, Math.round(videos[front].currentTime * 1000)), state: state, jump: !!jump, touched: touched });
    touched = false;
    if (reports.length > 12) { reports.shift(); }
    if (state === 'ended') { show.uncounted = true; }
    send();
  }

  /* Call back once everything said so far has arrived: a new play closes the account of the one before. */
  var waiting = [];
  Screen.settle = function (then) {
    if (shown) { report(shown, stateOf(videos[front])); }
    waiting.push(then);
    send();
  };

  function send() {
    if (sending) { return; }
    if (!reports.length) { waiting.splice(0).forEach(function (then) { then(); }); return; }
    var next = reports.shift();
    sending = true;
    TV.post('/api/positions', { play: next.show.play, position_ms: next.position_ms, state: next.state, jump: next.jump, touched: next.touched },
      function (status, answer) {
        sending = false;
        if (status === 200) { Screen.onAsked(next.show === shown ? answer.ask_ms : 0); }
        if (status === 404 && next.show === shown) { next.show.play = null; register(next.show); }
        if (status === 409) { next.show.uncounted = true; }
        send();
      });
  }

  function register(show) {
    if (show.play) { say(stateOf(videos[front])); return; }
    if (show.registering) { return; }
    show.registering = true;
    waiting.push(function () { begun(show); });
    send();
  }

  function begun(show) {
    TV.post('/api/plays', { mode: show.mode, release: show.release }, function (status, answer) {
      show.registering = false;
      if (status === 201) { show.play = answer.play; if (show === shown) { say(stateOf(videos[front])); } return; }
      if (status === 409) { if (show === shown) { fail(show); } return; }
      setTimeout(function () { if (show === shown && !show.play) { register(show); } }, 3000);
    });
  }

  document.addEventListener('visibilitychange', function () {
    if (shown) { report(shown, document.hidden ? 'hidden' : stateOf(videos[front])); }
  });
  window.addEventListener('pagehide', function () {
    if (shown && shown.play && navigator.sendBeacon) {
      var last = { play: shown.play, position_ms: Screen.position(), state: 'hidden' };
      navigator.sendBeacon('/api/positions', new Blob([JSON.stringify(last)], { type: 'application/json' }));
    }
  });

  /* --- a quarter of a second at a time --- */
  function moved() { lastMoved = TV.perf(); }

  Screen.tick = function () {
    var now = TV.perf(), video = videos[front];
    if (coming && now - coming.asked > STUCK_MS) { var late = coming; coming = null; Screen.onFailed(late); return; }
    if (!shown) { return; }
    if (video.currentTime !== lastPosition || video.paused || document.hidden) { lastPosition = video.currentTime; moved(); }
    if (now - lastMoved > STUCK_MS && !video.ended) { var stuck = shown; say('stalled'); fail(stuck); return; }
    /* The line is never paused by anybody but the browser, which does so to a window nobody sees. */
    if (shown.mode === 'linear' && video.paused && !video.ended && !document.hidden && !coming) { play(video); }
    var state = stateOf(video);
    if (now - lastReport > (state === 'playing' ? REPORT_MS : QUIET_REPORT_MS)) { say(state); }
    if (shown.mode === 'linear' && !video.paused && !video.seeking && TV.now() !== null && TV.now() < shown.ends_ms) {
      var off = TV.now() - shown.starts_ms - video.currentTime * 1000;
      if (Math.abs(off) > DRIFT_MS && target(shown) < video.duration - 1) {
        report(shown, state);
        video.currentTime = target(shown);
        report(shown, state, true);
      }
    }
  };
  Screen.AHEAD_MS = AHEAD_MS;
}());
