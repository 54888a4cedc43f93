/* Talking to the TV, and what waits on the phone until the TV has it. */
var Kept = (function () {
  'use strict';
  /* {taps: {session, roll, of: {person: {present, at}}, others, done}, queue: [{path, body}], drafts: {…}, state, language} */
  var KEY = 'yuanbo-phone', all = { taps: null, queue: [], drafts: {}, state: null };
  try { var found = JSON.parse(window.localStorage.getItem(KEY)); if (found && found.queue) { all = found; } } catch (error) { /* private window */ }
  all.save = function () {
    try { window.localStorage.setItem(KEY, JSON.stringify(all)); return true; } catch (error) { return false; }
  };
  return all;
}());

var Line = (function () {
  'use strict';
  var secret = (/^\/s\/([^\/]+)\//.exec(window.location.pathname) || [])[1] || '';
  var Line = { lost: false, gone: false, onChange: function () {}, onState: function () {} }, sending = false;

  function ask(method, path, body, done, headers) {
    var request = new XMLHttpRequest(), name;
    request.open(method, 'api/' + path);
    request.timeout = headers ? 120000 : 8000;
    request.onload = function () {
      var answer = null;
      try { answer = JSON.parse(request.responseText); } catch (error) { answer = null; }
      reached(true, request.status === 404 && method === 'GET');
      done(request.status, answer || {});
    };
    request.onerror = request.ontimeout = function () { reached(false, Line.gone); done(0, {}); };
    if (method === 'POST') { request.setRequestHeader('Yuanbo-Secret', secret); }
    if (body && !headers) { request.setRequestHeader('Content-Type', 'application/json'); }
    for (name in headers || {}) { request.setRequestHeader(name, headers[name]); }
    request.send(body && !headers ? JSON.stringify(body) : body);
  }
  function reached(yes, gone) {
    var changed = Line.lost === yes || Line.gone !== gone;
    Line.lost = !yes;
    Line.gone = gone;
    if (changed) { Line.onChange(); }
  }
  Line.ask = ask;

  /* A version 4 UUID: the name of something sent, so that sending it twice does it once. */
  Line.name = function () {
    var bytes = new Uint8Array(16), text = '';
    window.crypto.getRandomValues(bytes);
    bytes[6] = bytes[6] & 15 | 64;
    bytes[8] = bytes[8] & 63 | 128;
    for (var i = 0; i < 16; i++) { text += (i === 4 || i === 6 || i === 8 || i === 10 ? '-' : '') + ('0' + bytes[i].toString(16)).slice(-2); }
    return text;
  };

  /* What is sent as bytes waits as a data URL; it is made bytes again only to go. */
  function bytes(url) {
    var parts = url.split(','), raw = window.atob(parts[1]), made = new Uint8Array(raw.length);
    for (var i = 0; i < raw.length; i++) { made[i] = raw.charCodeAt(i); }
    return new Blob([made], { type: /^data:([^;,]*)/.exec(parts[0])[1] });
  }
  /* Send now or once the TV can be reached. done(status, answer) is called the first time only. */
  Line.post = function (path, body, done) {
    var waiting = { path: path, body: body };
    Kept.queue.push(waiting);
    var stays = Kept.save();
    push(done, waiting);
    return stays;
  };
  /* A picture or sound, of the session that stands now. False where the phone has no room to keep it. */
  Line.file = function (path, url, session, done) { return Line.post(path, { url: url, session: session }, done); };
  function push(done, of) {
    if (sending || !Kept.queue.length) { if (done) { done(-1, {}); } return; }
    var first = Kept.queue[0];
    sending = true;
    var file = first.body.url ? bytes(first.body.url) : null;
    ask('POST', first.path, file || first.body, function (status, answer) {
      sending = false;
      /* What the TV refuses for good waits no longer; a full disk, a dropped line and haste pass. */
      if (status === 200 || status === 400 || status === 409 || status === 413 || status === 415) {
        Kept.queue.splice(Kept.queue.indexOf(first), 1);
        Kept.save();
        Line.onChange();
        if (of === first && done) { done(status, answer); done = null; }
        push(done, of);
      } else if (done) { done(status, answer); }
    }, file ? { 'Yuanbo-Session': first.body.session, 'Content-Type': /^(image|audio|video)\//.test(file.type) ? file.type : 'audio/mp4' } : null);
  }
  Line.push = function () { push(); };
  return Line;
}());
