"""The five tries of ``docs/python.md`` in zuko, diffusers and Lightning: they run, and their lines are counted.

Lines of a program are those of its function, without imports, its docstring, and the lines that the ``given`` comments mark.
"""

from __future__ import annotations

import inspect
import logging
import warnings
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal, kl_divergence
from torch.utils.data import DataLoader, TensorDataset

X = (torch.rand(100, 1, 8, 8) > 0.7).float()
POINTS = torch.randn(100, 2)


def networks() -> tuple[nn.Module, nn.Module]:
    """Return one's own networks: of an encoder, and of a decoder."""
    reads = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU())
    return reads, nn.Sequential(nn.Linear(8, 64), nn.Unflatten(1, (1, 8, 8)))


def loader(x: Tensor) -> DataLoader[tuple[Tensor, ...]]:
    """Return one's own loader."""
    return DataLoader(TensorDataset(x), batch_size=20, shuffle=True)


def zuko_vae(reads: nn.Module, writes: nn.Module) -> Any:
    """Own networks in a VAE by zuko's distributions."""
    import zuko
    from zuko.distributions import DiagNormal

    class Vae(nn.Module):
        def __init__(self, reads: nn.Module, writes: nn.Module, features: int, dim: int) -> None:
            super().__init__()
            self.reads, self.writes = reads, writes
            self.head = nn.Linear(features, 2 * dim)
            self.prior = zuko.lazy.UnconditionalDistribution(DiagNormal, torch.zeros(dim), torch.ones(dim), buffer=True)

        def posterior(self, x: Tensor) -> Any:
            mean, log_std = self.head(self.reads(x)).chunk(2, 1)
            return DiagNormal(mean, log_std.exp())

        def likelihood(self, z: Tensor) -> Any:
            return Independent(Bernoulli(logits=self.writes(z)), 3)

        def elbo(self, x: Tensor) -> Tensor:
            q = self.posterior(x)
            z = q.rsample()
            return self.likelihood(z).log_prob(x) + self.prior().log_prob(z) - q.log_prob(z)

        def sample(self, n: int) -> Tensor:
            return self.likelihood(self.prior().sample((n,))).mean

    return Vae(reads, writes, features=32, dim=8)


def zuko_loader(model: Any, loader: Any) -> None:
    """A loop by hand over one's own loader."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses: list[float] = []
    while len(losses) < 30:
        for (batch,) in loader:
            loss = -model.elbo(batch).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def zuko_flow() -> Any:
    """A flow alone."""
    import zuko

    return zuko.flows.NSF(2, context=3)


def diffusers_loader(loader: Any) -> None:
    """A loop by hand that trains a denoiser."""
    from diffusers import DDPMScheduler, UNet2DModel

    kinds = {"down_block_types": ("DownBlock2D",) * 2, "up_block_types": ("UpBlock2D",) * 2}  # given
    network = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(32, 32), **kinds)  # given
    noise = DDPMScheduler()  # given
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses: list[float] = []
    while len(losses) < 10:
        for (batch,) in loader:
            time = torch.randint(noise.config.num_train_timesteps, (len(batch),))
            epsilon = torch.randn_like(batch)
            loss = nn.functional.mse_loss(network(noise.add_noise(batch, epsilon, time), time).sample, epsilon)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())


def diffusers_sampler() -> Tensor:
    """DDIM over one's own denoiser, the exact one for data of N(0, 0.5²)."""
    from diffusers import DDIMScheduler

    def denoise(noisy: Tensor, t: Tensor) -> Tensor:  # given
        alpha = scheduler.alphas_cumprod[t].sqrt()  # given
        return noisy * 0.25 * alpha / (0.25 * alpha**2 + 1 - alpha**2)  # given

    scheduler = DDIMScheduler(beta_schedule="squaredcos_cap_v2", prediction_type="sample", clip_sample=False)
    scheduler.set_timesteps(100)
    x = torch.randn(4000, 1)
    for t in scheduler.timesteps:
        x = scheduler.step(denoise(x, t), t, x).prev_sample
    return x  # given


def lightning_vae(reads: nn.Module, writes: nn.Module) -> Any:
    """Own networks in a VAE; ``training_step`` and ``configure_optimizers`` are for the trainer."""
    import lightning

    class Vae(lightning.LightningModule):
        def __init__(self, reads: nn.Module, writes: nn.Module, features: int, dim: int) -> None:
            super().__init__()
            self.reads, self.writes, self.dim = reads, writes, dim
            self.head = nn.Linear(features, 2 * dim)

        def elbo(self, x: Tensor) -> Tensor:
            mean, log_std = self.head(self.reads(x)).chunk(2, 1)
            q = Normal(mean, log_std.exp())
            likelihood = Independent(Bernoulli(logits=self.writes(q.rsample())), 3)
            return likelihood.log_prob(x) - kl_divergence(q, Normal(0.0, 1.0)).sum(1)

        def sample(self, n: int) -> Tensor:
            return self.writes(torch.randn(n, self.dim, device=self.device)).sigmoid()

        def training_step(self, batch: Any) -> Tensor:
            return -self.elbo(batch[0]).mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=1e-3)

    return Vae(reads, writes, features=32, dim=8)


def lightning_loader(model: Any, loader: Any) -> None:
    """One's own loader."""
    import lightning

    lightning.Trainer(max_steps=30, **QUIET).fit(model, loader)


def lightning_gan(generator: nn.Module, critic: nn.Module, loader: Any) -> None:
    """One's own loop on a GAN."""
    import lightning

    class Gan(lightning.LightningModule):
        def __init__(self, generator: nn.Module, critic: nn.Module, dim: int) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.generator, self.critic, self.dim = generator, critic, dim

        def training_step(self, batch: Any) -> None:
            of_generator, of_critic = self.optimizers()
            fake = self.generator(torch.randn(len(batch[0]), self.dim, device=self.device))
            real = nn.functional.softplus(-self.critic(batch[0])).mean()
            loss = real + nn.functional.softplus(self.critic(fake.detach())).mean()
            of_critic.zero_grad()
            self.manual_backward(loss)
            of_critic.step()
            loss = nn.functional.softplus(-self.critic(fake)).mean()
            of_generator.zero_grad()
            self.manual_backward(loss)
            of_generator.step()

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.generator.parameters()), torch.optim.Adam(self.critic.parameters())

    gan = Gan(generator, critic, dim=4)
    lightning.Trainer(max_steps=10, **QUIET).fit(gan, loader)


QUIET: dict[str, Any] = {
    "logger": False,
    "enable_checkpointing": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


def lines(program: Any) -> int:
    """Return how many lines a program takes."""
    source = inspect.getsource(program).replace(f'"""{program.__doc__}"""', "").splitlines()[1:]
    code = [line.strip() for line in source if line.strip() and not line.endswith("# given")]
    return len([line for line in code if not line.startswith(("import ", "from "))])


def main() -> None:
    """Run each program and print its lines."""
    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print(", ".join(f"{name} {version(name)}" for name in ("zuko", "diffusers", "lightning")))
    zuko, lightning = zuko_vae(*networks()), lightning_vae(*networks())
    zuko_loader(zuko, loader(X))
    lightning_loader(lightning, loader(X))
    assert zuko.sample(3).shape == lightning.sample(3).shape == (3, 1, 8, 8)
    diffusers_loader(loader(X))
    generator = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    lightning_gan(generator, nn.Sequential(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1)), loader(POINTS))
    flow = zuko_flow()
    assert flow(torch.randn(5, 3)).log_prob(torch.randn(5, 2)).shape == (5,)
    assert abs(diffusers_sampler().std() - 0.5) < 0.02
    programs = (zuko_vae, lightning_vae, zuko_loader, diffusers_loader, lightning_loader, lightning_gan, zuko_flow)
    for program in (*programs, diffusers_sampler):
        print(f"{program.__name__:20} {lines(program)}")


if __name__ == "__main__":
    main()
