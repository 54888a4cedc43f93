/* 意见与报修: a fault in three presses, a word on a programme, and the month's form, all picked and nothing typed. */
(function () {
  'use strict';
  var Views = TV.Views, Desk = TV.Desk, el = Views.el, stop = Views.stop;
  TV.words({
    voice: '意见与报修', voice_about: '哪里坏了、节目好不好，按三下就报上去', voice_faults: '哪里不对？', voice_opinions: '对节目的意见', voice_month: '本月反馈表',
    fault_no_sound: '没有声音', fault_no_picture: '没有图像', fault_no_network: '网络不通', fault_remote: '遥控器不灵', fault_set_broken: '电视/盒子坏了', fault_other: '其他毛病',
    fault_sure: '报修：{0}？', fault_note: '技术员会看到，不用再打电话', fault_yes: '报上去', fault_no: '不报了', fault_noted: '已记下：{0}。联网就报到县里', fault_last: '{0} 报过',
    opinion_long: '节目太长', opinion_fast: '讲得太快', opinion_more: '想多看哪类节目', opinion_good: '节目很好', opinion_of: '说的是《{0}》', opinion_of_none: '先看一个节目，再来说说',
    opinion_noted: '谢谢，意见已记下', opinion_which: '想多看哪个板块？',
    month_title: '{0} 反馈表', month_given: '这个月已经填过（{0}），再填就再报一次', month_open: '这个月还没填：三个问题，按几下就好', month_noted: '这个月的反馈已记下',
    month_need: '最需要什么？', month_advice: '有什么建议？', month_problem: '有什么问题？', month_step: '{0} / 3',
    need_crops: '种植技术', need_animals: '养殖技术', need_market: '市场行情和销路', need_policy: '惠农政策', need_law: '法律常识', need_health: '健康知识', need_opera: '戏曲文艺', need_none: '没有',
    advice_local: '多些本地的节目', advice_short: '节目短一些', advice_slow: '讲得慢一些、浅一些', advice_evening: '晚上多播一些', advice_season: '按农时早一点播', advice_expert: '请专家来讲课', advice_none: '没有',
    problem_few: '来看的人少', problem_line: '网络慢，节目下不来', problem_set: '设备旧了或坏了', problem_place: '地方小、冬天冷', problem_time: '没有人手、没有时间', problem_none: '没有',
    voice_failed: '没有记下，请再按一次'
  }, {
    voice: 'Feedback', voice_about: 'Faults and opinions in three presses', voice_faults: 'What is wrong?', voice_opinions: 'About the programmes', voice_month: 'Form of the month',
    fault_no_sound: 'No sound', fault_no_picture: 'No picture', fault_no_network: 'No network', fault_remote: 'Remote control', fault_set_broken: 'TV or box broken', fault_other: 'Something else',
    fault_sure: 'Report: {0}?', fault_note: 'The technician will see it', fault_yes: 'Report', fault_no: 'Leave it', fault_noted: 'Noted: {0}. It is sent once there is a connection', fault_last: 'reported {0}',
    opinion_long: 'Too long', opinion_fast: 'Too fast', opinion_more: 'More of …', opinion_good: 'Very good', opinion_of: '“{0}”', opinion_of_none: 'Watch a programme first',
    opinion_noted: 'Thank you, noted', opinion_which: 'More of which section?',
    month_title: 'Form of {0}', month_given: 'Given on {0}; giving it again sends it again', month_open: 'Not given yet this month: three questions', month_noted: 'This month’s form is noted',
    month_need: 'What is needed most?', month_advice: 'Any advice?', month_problem: 'Any problems?', month_step: '{0} of 3',
    need_crops: 'Crops', need_animals: 'Animals', need_market: 'Markets and selling', need_policy: 'Farm policy', need_law: 'Law', need_health: 'Health', need_opera: 'Opera and arts', need_none: 'Nothing',
    advice_local: 'More from here', advice_short: 'Shorter programmes', advice_slow: 'Slower and simpler', advice_evening: 'More in the evening', advice_season: 'Earlier in the season', advice_expert: 'Invite experts', advice_none: 'None',
    problem_few: 'Few people come', problem_line: 'Slow line', problem_set: 'Old or broken set', problem_place: 'Small or cold room', problem_time: 'No hands, no time', problem_none: 'None',
    voice_failed: 'Not noted, please press again'
  });
  var ICONS = {
    no_sound: 'M4 9v6h4l5 4V5L8 9H4zM16 9.5l5 5M21 9.5l-5 5',
    no_picture: 'M3 5h18v12H3zM9 21h6M7 8l10 6M17 8L7 14',
    no_network: 'M3 9c5-5 13-5 18 0M6 12.5c3.5-3.5 8.5-3.5 12 0M9.5 16c1.5-1.5 3.5-1.5 5 0M4 21L20 4',
    remote: 'M8 3h8v18H8zM12 6.5v.01M10.5 11h3M12 9.5v3M10.5 16h.01M13.5 16h.01',
    set_broken: 'M3 5h18v12H3zM9 21h6M12 5l-2 4 4 2-2 6',
    other: 'M12 3a9 9 0 100 18 9 9 0 000-18zM9.5 9.5a2.5 2.5 0 113.5 2.300c-.7.3-1 .8-1 1.700M12 17v.01'
  };
  var WORDS = ['long', 'fast', 'good', 'more'];
  var seen = null;   /* the programme that was shown last: what a word is about */

  TV.Voice = { saw: function (what) { if (what.source !== 'filler' && what.source !== 'fill') { seen = { release: what.release, title: what.title }; } } };

  function post(path, body, acts, words) {
    acts.post(path, body, function (status, answer) {
      acts.toast(status === 201 ? words : TV.say('voice_failed'));
      if (status === 201) { Desk.told.voice = answer; acts.redraw(); }
    });
  }
  function fault(code, acts) {
    var name = TV.say('fault_' + code);
    TV.pick({
      kicker: TV.say('voice'), title: TV.say('fault_sure', name), note: TV.say('fault_note'),
      options: [{ key: true, label: TV.say('fault_yes') }, { key: false, label: TV.say('fault_no') }],
      picked: function (sure) { if (sure) { post('/api/desk/fault', { code: code }, acts, TV.say('fault_noted', name)); } }
    });
  }
  function opinion(what, told, acts) {
    if (what === 'more') {
      TV.pick({
        kicker: TV.say('voice_opinions'), title: TV.say('opinion_which'),
        options: told.sections.map(function (one) { return { key: one.slug, label: TV.name(one.names) }; }),
        picked: function (slug) { post('/api/desk/opinion', { what: what, section: slug }, acts, TV.say('opinion_noted')); }
      });
      return;
    }
    post('/api/desk/opinion', { what: what, release: seen.release }, acts, TV.say('opinion_noted'));
  }
  function month(told, acts) {
    var steps = ['need', 'advice', 'problem'], form = {};
    (function ask(step) {
      if (step === steps.length) { post('/api/desk/month', form, acts, TV.say('month_noted')); return; }
      var part = steps[step];
      TV.pick({
        kicker: TV.say('month_title', told.month) + '　' + TV.say('month_step', step + 1), title: TV.say('month_' + part),
        options: told.form[part].map(function (key) { return { key: key, label: TV.say(part + '_' + key) }; }),
        picked: function (key) { form[part] = key; ask(step + 1); }
      });
    }(0));
  }

  Desk.add({
    name: 'voice', order: 40, title: 'voice', about: 'voice_about', load: '/api/desk/voice', footer: 'keys_desk',
    icon: 'M4 5h16v11H9l-5 4V5zM8 9h8M8 12h5',
    draw: function (main, told, acts) {
      if (!told) { return []; }
      var faults = [], words = [], box = el('div', 'voice-faults'), line = el('div', 'voice-words');
      told.faults.forEach(function (one) {
        var made = stop('fault-' + one.code, 'voice-fault', function () { fault(one.code, acts); },
          [Desk.icon(ICONS[one.code]), el('b', '', TV.say('fault_' + one.code)), el('span', '', one.at_ms ? TV.say('fault_last', TV.shortDate(one.at_ms)) : '')]);
        box.appendChild(made);
        faults.push(made);
      });
      WORDS.forEach(function (what) {
        if (what === 'more' ? !told.sections.length : !seen) { return; }
        var made = stop('opinion-' + what, 'button plain', function () { opinion(what, told, acts); }, [el('span', '', TV.say('opinion_' + what))]);
        line.appendChild(made);
        words.push(made);
      });
      var form = stop('month', 'voice-month', function () { month(told, acts); }, [el('b', '', TV.say('voice_month')),
        el('span', '', told.given_ms ? TV.say('month_given', TV.shortDate(told.given_ms)) : TV.say('month_open'))]);
      if (!told.given_ms) { form.classList.add('open'); }
      main.appendChild(el('h2', 'voice-head', TV.say('voice_faults')));
      main.appendChild(box);
      main.appendChild(el('h2', 'voice-head', TV.say('voice_opinions') + '　' + (seen ? TV.say('opinion_of', seen.title) : TV.say('opinion_of_none'))));
      main.appendChild(line);
      main.appendChild(form);
      return [faults, words, [form]];
    }
  });
}());
