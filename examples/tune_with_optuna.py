"""Tune the learning rate and the weight decay of a network that a race has found, with Optuna.

    depthwise search digits --size 16 --params 20k --study race     # once; any layer list will do
    python examples/tune_with_optuna.py

Needs the extra ``depthwise[optuna]``.  Optuna proposes values and is told how good they were; the training stays an
ordinary loop.  After every epoch it may say that a trial is not worth going on.
"""

import optuna

import depthwise as dw

LAYERS = "8CB3ps-8CB3ps-MP2-16CB3ps-16CB3ps-GAP-N"


def train(trial: optuna.Trial, images, epochs: int) -> float:
    """Train with the values that a trial proposes; its validation accuracy."""

    def report(net: dw.NeuralNetClassifier, record) -> bool:
        trial.report(record.valid_accuracy, record.epoch)
        return trial.should_prune()

    net = dw.NeuralNetClassifier(
        LAYERS,
        optimizer="adamw",
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-1, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-5, 1e-1, log=True),
        max_epochs=epochs,
        callbacks=[report],
        random_state=0,
        verbose=0,
    )
    return net.fit(images.X, images.y).history_[-1].valid_accuracy


def main(quick: bool = False) -> optuna.Study:
    """Ask for values, train with them, tell how good they were."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    images = dw.load_images("digits")
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=0), pruner=optuna.pruners.MedianPruner()
    )
    # What the race was run with is where to begin.
    study.enqueue_trial({"learning_rate": 1e-3, "weight_decay": 1e-5})
    for _ in range(3 if quick else 20):
        trial = study.ask()
        try:
            study.tell(trial, train(trial, images, epochs=2 if quick else 10))
        except dw.DepthwiseError as problem:  # a rate so high that the loss is no longer finite
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
            print(f"trial {trial.number}: {problem}")
    print(f"best of {len(study.trials)} trials: {study.best_value:.4f} with {study.best_params}")
    return study


if __name__ == "__main__":
    main()
