"""A trainer without torch: it learns how long answers are, a sample a step."""

LEARNER = """
    import json
    import os
    import signal

    from ig4.core.contracts import Options, Trainer
    from ig4.core.files.images.decode import ImageError
    from ig4.core.records import Failure
    from ig4.core.contracts.training import (
        REFUSED, Checkpoint, Footprint, SampleCheck, TrainingError, TrainingStep, is_main_process,
    )

    class LearnerOptions(Options):
        steps: int = 4
        stop_at: int = 0
        log: str = ""
        widest: int = 0
        longest: int = 0

    class Learner(Trainer):
        "Saves its state after every step; stops at one of them if it is told so."
        Options = LearnerOptions

        def identity(self, digest):
            return {"steps": self.options.steps}

        def check_samples(self, samples):
            for sample, check in zip(samples, super().check_samples(samples)):
                sizes = [] if check.problem else [image.pixels().size for image in sample.images]
                wide = self.options.widest and any(w > self.options.widest * h for w, h in sizes)
                rest = len(sample.answer) - self.options.longest if self.options.longest else 0
                if wide:
                    yield SampleCheck("its aspect ratio is too large", REFUSED)
                else:
                    yield check if check.problem else SampleCheck(
                        cut=max(0, rest), limit="learner.longest"
                    )

        def train(self, job):
            state = job.output / "state" / "state.json"
            known = json.loads(state.read_text()) if state.exists() else []
            job.started(self.options.steps, len(known))
            while (step := len(known) + 1) <= self.options.steps:
                sample = job.samples[(step + job.seed) % len(job.samples)]
                if step == self.options.stop_at:
                    raise TrainingError(f"the loss of step {step} is nan at {sample.id!r}")
                known.append(len(sample.answer))
                state.parent.mkdir(parents=True, exist_ok=True)
                state.write_text(json.dumps(known))
                job.report(TrainingStep(step, step / 2, float(known[-1]), 0.1, None, 0.01))
            checkpoint = Checkpoint("learner", self.options.model_dump(mode="json"), job.output,
                                    job.origin, job.seed, {"steps": len(known), "loss": known[-1]})
            return checkpoint.save(job.output) if is_main_process() else checkpoint

        def generate(self, checkpoint, prompts, decoding):
            for number, prompt in enumerate(prompts, 1):
                if self.options.log:
                    with open(self.options.log, "a") as file:
                        file.write(prompt.id + "\\n")
                try:
                    sizes = [image.pixels().size for image in prompt.images]
                except ImageError as error:
                    yield Failure(str(error))
                else:
                    yield f"{prompt.turns[-1].text} {sizes} {decoding.seed}"
                if str(number) == os.environ.get("LEARNER_DIES_AFTER"):
                    os.kill(os.getpid(), signal.SIGKILL)

        def footprint(self, job):
            return Footprint({"all": 7}, 7, {"weights": 28}, self.options.steps, 1, ("a note",))
"""
