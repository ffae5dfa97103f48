"""What this machine computes fast, learnt without torch."""

import os
import subprocess
import sys

import pytest

from ig4.plugins.models import hardware

torch = pytest.importorskip("torch")


@pytest.fixture
def processor(monkeypatch):
    """Make the processor have just some flags."""

    def have(*flags):
        monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset(flags))

    return have


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["avx512f", "amx_bf16", "amx_tile"], "bf16"),
        (["avx512f", "avx512_bf16"], "bf16"),
        (["avx512f", "avx512vl"], "fp32"),
        ([], "fp32"),
    ],
)
def test_a_processor_takes_bf16_only_where_it_multiplies_it(processor, flags, expected):
    processor(*flags)
    assert hardware.precision("auto", "cpu") == expected


@pytest.mark.parametrize(("capability", "expected"), [(9, "bf16"), (8, "bf16"), (7, "fp16")])
def test_a_gpu_takes_bf16_from_ampere_on_and_else_fp16(monkeypatch, capability, expected):
    requested = []
    monkeypatch.setattr(
        hardware, "cuda_capability", lambda number: (requested.append(number), capability)[1]
    )
    assert hardware.precision("auto", "cuda:1") == expected
    assert hardware.precision("auto", "cuda") == expected
    assert requested == [1, 0]


def test_apple_silicon_takes_fp16():
    assert hardware.precision("auto", "mps") == "fp16"


@pytest.mark.parametrize("wanted", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("on", ["cpu", "cuda", "mps"])
def test_a_precision_that_was_asked_for_is_taken(wanted, on):
    assert hardware.precision(wanted, on) == wanted


def test_a_device_that_was_asked_for_is_taken():
    assert hardware.device("cuda:1") == "cuda:1"


def test_a_gpu_comes_before_the_processor(monkeypatch):
    monkeypatch.setattr(hardware, "cuda_devices", lambda: 2)
    assert hardware.device() == "cuda"
    monkeypatch.setattr(hardware, "cuda_devices", lambda: 0)
    monkeypatch.setattr(hardware, "has_mps", lambda: True)
    assert hardware.device() == "mps"
    monkeypatch.setattr(hardware, "has_mps", lambda: False)
    assert hardware.device() == "cpu"


def test_what_was_found_without_torch_is_what_torch_says():
    assert hardware.device().partition(":")[0] == (
        "cuda"
        if torch.cuda.is_available()
        else "mps"
        if torch.backends.mps.is_available()
        else "cpu"
    )
    built = "hip" if torch.version.hip else "cuda" if torch.version.cuda else "cpu"
    assert hardware.torch_build() == built


def test_hidden_gpus_are_not_counted():
    program = "from ig4.plugins.models import hardware; print(hardware.cuda_devices())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "0\n"


def test_finding_out_imports_no_torch():
    program = (
        "import sys\nfrom ig4.plugins.models import hardware\n"
        "hardware.precision('auto', hardware.device())\nassert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
