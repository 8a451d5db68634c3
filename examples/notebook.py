"""A notebook as a script: each `# %%` is a cell. The broker lives in this process and keeps its data in a folder.

python examples/notebook.py
"""

# %% A broker of one's own: nothing to install, nothing to start
import tempfile
from pathlib import Path

import numpy as np

import telewire

folder = Path(tempfile.mkdtemp(prefix="telewire-notebook-"))
broker = telewire.Broker(folder)
client = telewire.connect(broker.address)
print("broker at", broker.address)

# %% Something to look at
start_ns = 1_756_641_600_000_000_000
time_s = np.arange(0, 10, 0.01)
with client.create_session("Bench", identifier="Damper sweep") as session:
    session.configure([telewire.Parameter("xDamper:Rig", units="mm"), telewire.Parameter("FDamper:Rig", units="N")])
    session.stream("Rig").write_periodic(
        ["xDamper:Rig", "FDamper:Rig"],
        start_ns=start_ns,
        interval_ns=10_000_000,
        values=np.column_stack([20 * np.sin(2 * np.pi * time_s), 900 * np.cos(2 * np.pi * time_s)]),
    )

# %% All of it, as arrays
blocks = [samples for packet in client.read(session.key) if (samples := packet.samples()) is not None]
travel, force = np.concatenate([block.values for block in blocks]).T
print(f"{len(travel)} samples, travel ±{np.abs(travel).max():.1f} mm, force ±{np.abs(force).max():.0f} N")

# %% Everything is still there when the broker is started again
client.close()
broker.stop()
with telewire.Broker(folder) as again, telewire.connect(again.address) as client:
    print(client.sessions())
