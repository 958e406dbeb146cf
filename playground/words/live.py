"""The words of what lives on the Train tab: the chart, the sample timeline, the coach, the first minute.

`chart.` and `timeline.` go to their scripts whole, by the names after the point.
"""

# key: (English, Japanese). Braces are filled by `text.say` or by the script; a widget's text has none.
WORDS = {
    "chart.label": ("Loss", "損失"),
    "chart.train": ("learnt text", "学習テキスト"),
    "chart.validation": ("unseen text", "未見テキスト"),
    "chart.published": ("the chapter's", "章の値"),
    "chart.best": ("best", "最良"),
    "chart.step": ("step", "ステップ"),
    "chart.time": ("time", "時間"),
    "chart.tokens": ("tokens", "トークン"),
    "chart.epoch": ("epochs", "エポック"),
    "chart.seconds": ("seconds", "秒"),
    "chart.minutes": ("minutes", "分"),
    "chart.hours": ("hours", "時間"),
    "chart.nats": ("nats", "nat"),
    "chart.bits": ("bits / byte", "ビット/バイト"),
    "chart.linear": ("linear", "線形"),
    "chart.log": ("log", "対数"),
    "chart.loglog": ("log–log", "両対数"),
    "chart.lines": ("reference lines", "基準線"),
    "chart.zoom": ("Zoom", "範囲を拡大"),
    "chart.pan": ("Pan", "移動"),
    "chart.zoom_in": ("Zoom in", "拡大"),
    "chart.zoom_out": ("Zoom out", "縮小"),
    "chart.zoom_all": ("Show all", "全体を表示"),
    "chart.table": ("as a table", "表で見る"),
    "chart.by_unit": ("Unit of the loss", "損失の単位"),
    "chart.by_scale": ("Scale", "目盛り"),
    "chart.by_axis": ("Along", "横軸"),
    "chart.about_nats": (
        "Natural units per token: what the training minimises. They compare only between runs with one tokenizer.",
        "トークンあたりの自然単位。学習が小さくしている量です。同じトークナイザどうしでだけ比べられます。",
    ),
    "chart.about_bits": (
        "Bits per byte of text: they compare between any tokenizers.",
        "テキスト1バイトあたりのビット数。トークナイザが違っても比べられます。",
    ),
    "chart.about_loglog": (
        "Where the line is straight, the loss falls as a power of the steps.",
        "直線になっている所では、損失がステップ数のべき乗で下がっています。",
    ),
    "chart.about_lines": (
        "What simpler methods score on the same unseen text.",
        "同じ未見テキストを、もっと単純な方法で予測したときの値です。",
    ),
    "chart.loss": ("loss (nats per token)", "損失 (nat/トークン)"),
    "chart.loss_bits": ("loss (bits per byte)", "損失 (ビット/バイト)"),
    "chart.uniform": ("uniform", "一様"),
    "chart.unigram": ("unigram", "ユニグラム"),
    "chart.bigram": ("bigram", "バイグラム"),
    "chart.gzip": ("gzip", "gzip"),
    "chart.xz": ("xz", "xz"),
    "chart.about_uniform": (
        "Knows nothing: every token equally likely (ln V).",
        "何も知らない場合。どのトークンも同じ確率です (ln V)。",
    ),
    "chart.about_unigram": (
        "Knows how often each token occurs, and nothing of its neighbours.",
        "各トークンの出現頻度だけを知っている場合です。",
    ),
    "chart.about_bigram": (
        "Knows what follows the one token before.",
        "直前の1トークンだけを見て予測する場合です。",
    ),
    "chart.about_gzip": ("The unseen text compressed by gzip.", "未見テキストを gzip で圧縮した大きさです。"),
    "chart.about_xz": ("The unseen text compressed by xz.", "未見テキストを xz で圧縮した大きさです。"),
    "chart.learnt_nats": ("learnt text", "学習テキスト"),
    "chart.unseen_nats": ("unseen text", "未見テキスト"),
    "chart.table_about": (
        "Every measurement, the latest first; losses in nats per token.",
        "すべての測定(新しい順)。損失の単位は nat/トークンです。",
    ),
    "chart.empty": ("The curve begins here.", "ここに曲線が現れます。"),
    "chart.waiting": ("Waiting for the first step …", "最初のステップを待っています……"),
    "chart.never": ("There is no curve of this run.", "この学習には曲線がありません。"),
    "chart.lr": ("Learning rate", "学習率"),
    "chart.grad_norm": ("Gradient norm", "勾配ノルム"),
    "chart.speed": ("Tokens / s", "トークン/秒"),
    "chart.experts": ("Use of experts", "エキスパートの使用率"),
    "chart.most": ("most", "最大"),
    "chart.even": ("dotted: all alike,", "点線: 均等"),
    "chart.about_lr": (
        "How large a step is: it warms up, then sinks to its end.",
        "1歩の大きさです。はじめに上がり、終わりに向けて下がります。",
    ),
    "chart.about_grad_norm": (
        "How steep the slope is before clipping. Sudden peaks mean a hard batch or too high a rate.",
        "切り詰める前の傾きの大きさです。急な山は、難しいバッチか、高すぎる学習率のしるしです。",
    ),
    "chart.about_speed": (
        "Training speed; it falls while other programs use the machine.",
        "学習の速さです。ほかのプログラムが動くと下がります。",
    ),
    "chart.about_experts": (
        "Which share of the tokens each expert gets: the mean over all blocks, and below each block as it is now.",
        "各エキスパートが受け持つトークンの割合です。線は全ブロックの平均、下の帯はブロックごとの現在の値です。",
    ),
    "minute.title": ("What you see here", "いま見えているもの"),
    "minute.seen": ("Got it", "わかりました"),
    "minute.curve": ("The curve falls", "曲線が下がる"),
    "minute.curve_say": (
        "Blue is how surprised the model is by each next token of your text. Lower is better.",
        "青は、テキストの次のトークンにモデルがどれだけ驚いたかです。低いほど良く予測できています。",
    ),
    "minute.unseen": ("Red is the exam", "赤は試験"),
    "minute.unseen_say": (
        "The end of your text is held back and never learnt. Only while red falls does it learn to write.",
        "テキストの終わりは、学習には使わず取ってあります。赤が下がっているあいだだけ、書く力が伸びています。",
    ),
    "minute.writing": ("It tries to write", "書いてみる"),
    "minute.writing_say": (
        "The same beginning each time, below: first noise, then words, then sentences. Drag to go back.",
        "下では、毎回同じ書き出しの続きを書きます。文字の羅列が単語になり、文になります。つまみで戻れます。",
    ),
    "timeline.title": ("What it writes at step {step}", "ステップ {step} で書いた文"),
    "timeline.of": (" of {steps}", " / {steps}"),
    "timeline.none": ("What it writes", "書いた文"),
    "timeline.at": ("step {step}, sample {n} of {all}", "ステップ {step}、{all} 件中 {n} 件目"),
    "timeline.empty": (
        "At each measurement the model continues the same prompt; you can watch gibberish turn into language here.",
        "測定のたびに、同じ書き出しの続きを書きます。文字の羅列が言葉になっていく様子が見えます。",
    ),
    "timeline.scrub": ("Go through what it wrote, from the first step on", "最初のステップからの文をたどる"),
    "timeline.play": ("Play: watch it learn to write", "再生: 書けるようになる様子を見る"),
    "timeline.pause": ("Pause", "一時停止"),
    "timeline.newest": ("newest", "最新へ"),
    "timeline.keep": ("Keep as", "保存"),
    "timeline.kept": ("Kept as {name}, {size}.", "{name} として保存しました({size})。"),
    "timeline.nothing": (
        "This run has not written anything yet; it does at its first measurement.",
        "まだ何も書いていません。最初の測定のときに書きます。",
    ),
    "timeline.no_font": (
        "No font on this machine has all the characters of these samples; install Noto Serif CJK, or keep the HTML page.",
        "この文の文字をすべて持つフォントが見つかりません。Noto Serif CJK を入れるか、HTML で保存してください。",
    ),
    "timeline.keep_html": ("Keep the timeline as an HTML page", "HTML ページとして保存"),
    "timeline.keep_gif": ("Keep the timeline as an animated GIF", "アニメーション GIF として保存"),
    "coach.parted": (
        "It has begun to memorise: unseen text has got worse since step {step}, while the learnt text still gets better. "
        "The best was step {step}; it is kept.",
        "丸暗記がはじまりました。ステップ {step} から、学習テキストは良くなるのに、未見テキストは悪くなっています。"
        "最良だったステップ {step} は残っています。",
    ),
    "coach.had_parted": (
        "After step {step} it learnt your text by heart; the model of step {step} is the one that is kept. "
        "More text helps most; more dropout or a smaller model helps too.",
        "ステップ {step} より後は丸暗記でした。残るのはステップ {step} のモデルです。"
        "いちばん効くのはテキストを増やすこと。ドロップアウトを強める、モデルを小さくする、も有効です。",
    ),
    "coach.plateau": (
        "Unseen text has hardly improved since step {step}. What this model can learn here, it has learnt: "
        "try a larger one, a lower rate, or more text.",
        "ステップ {step} から、未見テキストの損失がほとんど下がっていません。この設定で学べることは学び終えたようです。"
        "大きめのモデル、低い学習率、あるいは長いテキストを試してください。",
    ),
    "coach.spikes": (
        "The loss has jumped up {n} {n:time|times} lately, last at step {step}. One jump heals by itself; if they go on, "
        "lower the learning rate or clip gradients at 1.",
        "損失が最近 {n} 回跳ね上がりました(最後はステップ {step})。一度なら自然に戻ります。"
        "続くようなら、学習率を下げるか、勾配を 1 で切り詰めてください。",
    ),
    "coach.too_high": (
        "The loss rises instead of falling: a learning rate of {lr} is too high. Stop, and try {lower}.",
        "損失が下がらずに上がっています。学習率 {lr} は高すぎます。停止して、{lower} で試してください。",
    ),
    "coach.too_low": (
        "The loss still falls as evenly as at the beginning: the learning rate is too low, or the run too short. "
        "Try three times the rate.",
        "終わり近くでも、損失がはじめと同じ調子で下がりつづけています。学習率が低すぎるか、時間が短すぎます。"
        "3倍の学習率を試してください。",
    ),
    "coach.vocabulary": (
        "The tokenizer is too large for this text: {entries} entries share {tokens} tokens, {each} each. "
        "Characters, or a vocabulary of a few hundred, learn faster here.",
        "このテキストにはトークナイザが大きすぎます。{entries} 語に対して {tokens} トークン、1語あたり {each} 個しかありません。"
        "文字単位か、数百語の語彙のほうが早く学べます。",
    ),
    "coach.little_text": (
        "{parameters} parameters for {tokens} tokens: it can learn the text by heart before it learns the language. "
        "A smaller model, or much more text, writes better.",
        "{tokens} トークンに対してパラメータが {parameters} 個あります。言葉を覚える前に丸暗記できてしまう大きさです。"
        "小さめのモデルか、ずっと長いテキストのほうが上手に書けます。",
    ),
    "coach.more": (
        "It was still getting better when it ended: with twice the time it would write better yet.",
        "終わるまで良くなりつづけていました。倍の時間をかければ、もっと上手に書けます。",
    ),
    "coach.enough": (
        "More time would not help now; a larger model or more text would.",
        "これ以上時間をかけても変わりません。大きめのモデルか、長いテキストが効きます。",
    ),
    "coach.stop": ("Stop and keep step {step}", "停止してステップ {step} を残す"),
    "coach.stop_now": ("Stop now", "今すぐ停止"),
}
