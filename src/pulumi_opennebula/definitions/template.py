"""Definition of Template, the VM template. Calls nothing."""

from __future__ import annotations

from pulumi_opennebula.definitions import common
from pulumi_opennebula.definitions.model import ListOf, MapOf, Property, Record, Resource


def _text(
    name: str, description: str, *, required: bool = False, secret: bool = False, attribute: str = ""
) -> Property:
    return Property(
        name=name, type="string", description=description, required=required, secret=secret, attribute=attribute
    )


ADDRESSES = (
    _text("ip", "IPv4 address to ask for."),
    _text("ip6", "IPv6 address to ask for."),
    _text("ip6Global", "IPv6 global address to ask for."),
    _text("ip6Link", "IPv6 link-local address to ask for."),
    _text("ip6Ula", "IPv6 unique local address to ask for."),
    _text("mac", "MAC address to ask for."),
    _text("dns", "Name servers that the guest is told, instead of the network's."),
    _text("gateway", "Gateway that the guest is told, instead of the network's."),
)
NETWORK_CHOICE = (
    Property(name="networkId", type="integer", description="Id of the virtual network."),
    _text("network", "Name of the virtual network; excludes `networkId`."),
    Property(
        name="securityGroups",
        type=ListOf("integer"),
        unordered=True,
        description="Ids of security groups, in addition to the network's.",
    ),
)

NIC = Record(
    name="TemplateNic",
    description="A network card. Cards keep the order given.",
    properties=(
        *NETWORK_CHOICE,
        *ADDRESSES,
        _text("name", "Name of the card, for aliases to refer to."),
        _text("model", "Hardware that the guest sees: `virtio`, `e1000`, ..."),
        _text("virtioQueues", "Number of virtio queues."),
        _text("physicalDevice", "Host device, instead of the network's.", attribute="PHYDEV"),
        _text("method", "How the guest configures IPv4: `static`, `dhcp`, `skip`."),
        Property(
            name="networkModeAuto",
            type="boolean",
            attribute="NETWORK_MODE",
            description="Let the scheduler choose the network.",
        ),
        _text("schedRequirements", "Which networks the scheduler may choose."),
        _text("schedRank", "Which network the scheduler prefers."),
    ),
)
NIC_ALIAS = Record(
    name="TemplateNicAlias",
    description="A further address on a network card.",
    properties=(
        _text("parent", "Name of the NIC that carries the alias.", required=True),
        *NETWORK_CHOICE,
        *ADDRESSES,
        _text("name", "Name of the alias."),
    ),
)
DISK = Record(
    name="TemplateDisk",
    description="A disk: of an image, or volatile. Disks keep the order given.",
    properties=(
        Property(name="imageId", type="integer", description="Id of the image; absent for a volatile disk."),
        Property(name="size", type="integer", description="Size in MB; of an image: grow it to this."),
        _text("target", "Device that the disk appears as, such as `vda`."),
        _text("driver", "Image mapping driver, such as `qcow2`."),
        _text("devPrefix", "Device prefix: `hd`, `sd`, `vd`, ..."),
        _text("cache", "Cache mode of the hypervisor."),
        _text("discard", "Discard mode of the hypervisor."),
        _text("io", "IO policy of the hypervisor."),
        _text("volatileType", "Type of a volatile disk: `fs` or `swap`.", attribute="TYPE"),
        _text("volatileFormat", "Format of a volatile disk: `raw` or `qcow2`.", attribute="FORMAT"),
    ),
)
OS = Record(
    name="TemplateOs",
    description="How the guest boots.",
    properties=(
        _text("arch", "`x86_64`, `aarch64`, ...", required=True),
        _text("boot", "Boot devices in order: `disk0,nic0`; may be empty.", required=True),
        _text("machine", "Machine type, such as `q35`."),
        _text("kernel", "Path of a kernel on the host."),
        _text("kernelDs", "Kernel image, such as `$FILE[IMAGE_ID=3]`."),
        _text("initrd", "Path of an initrd on the host."),
        _text("initrdDs", "Initrd image, such as `$FILE[IMAGE_ID=4]`."),
        _text("root", "Root device for the kernel."),
        _text("kernelCmd", "Kernel command line."),
        _text("bootloader", "Path of a boot loader on the host."),
        _text("sdDiskBus", "Bus of `sd` disks: `scsi` or `sata`."),
        _text("uuid", "UUID that the guest sees."),
        _text("firmware", "`BIOS`, or path of a UEFI firmware."),
        Property(name="firmwareSecure", type="boolean", description="UEFI secure boot."),
    ),
)
FEATURE = Record(
    name="TemplateFeature",
    description="Features of the virtual machine; `YES` or `NO`, and two numbers.",
    properties=(
        _text("pae", "Physical address extension."),
        _text("acpi", "ACPI."),
        _text("apic", "APIC."),
        _text("localtime", "Whether the guest's clock is local time."),
        _text("hyperv", "Hyper-V extensions."),
        _text("guestAgent", "QEMU guest agent channel."),
        _text("virtioScsiQueues", "Number of virtio SCSI queues."),
        _text("iothreads", "Number of IO threads."),
    ),
)
GRAPHICS = Record(
    name="TemplateGraphics",
    description="Console of the VM.",
    properties=(
        _text("type", "`VNC`, `SPICE` or `SDL`.", required=True),
        _text("listen", "Address that the console listens on, such as `0.0.0.0`.", required=True),
        _text("port", "Port; OpenNebula chooses one where absent."),
        _text("keymap", "Keyboard map."),
        _text("passwd", "Password of the console.", secret=True),
        Property(name="randomPasswd", type="boolean", description="Let OpenNebula make a password for each VM."),
    ),
)
CPU_MODEL = Record(
    name="TemplateCpumodel",
    description="CPU that the guest sees.",
    properties=(_text("model", "Model, such as `host-passthrough`.", required=True),),
)
RAW = Record(
    name="TemplateRaw",
    description="Text that is handed to the hypervisor as it is.",
    properties=(
        _text("type", "Hypervisor: `kvm`, `lxc`, ...", required=True),
        _text("data", "The text.", required=True),
    ),
)
VM_GROUP = Record(
    name="TemplateVmgroup",
    description="Role of a VM group, for affinity.",
    properties=(
        Property(name="vmgroupId", type="integer", required=True, description="Id of the VM group."),
        _text("role", "Name of the role.", required=True),
    ),
)

TEMPLATE = Resource(
    module="template",
    description="A VM template: what VMs made from it look like, and the CONTEXT they boot with.",
    id_property="templateId",
    properties=(
        Property(name="name", type="string", computed=True, description="Name; the resource's name where absent."),
        common.DESCRIPTION,
        Property(name="cpu", type="number", computed=True, description="Share of a physical CPU, such as 0.5."),
        Property(name="vcpu", type="integer", computed=True, description="CPUs that the guest sees."),
        Property(name="memory", type="integer", computed=True, description="Memory in MB."),
        Property(
            name="context",
            type=MapOf("string"),
            description=(
                "CONTEXT variables of the guest. Case and order of the keys are kept. A value that the program marks "
                "as a secret is a secret in the state, too."
            ),
        ),
        Property(name="nics", attribute="NIC", type=ListOf(NIC), description="Network cards, in order."),
        Property(
            name="nicAliases",
            attribute="NIC_ALIAS",
            type=ListOf(NIC_ALIAS),
            description="Further addresses on network cards, in order.",
        ),
        Property(name="disks", attribute="DISK", type=ListOf(DISK), description="Disks, in order."),
        Property(name="os", type=OS, description="How the guest boots."),
        Property(name="features", type=ListOf(FEATURE), description="Features; at most one entry."),
        Property(name="graphics", type=GRAPHICS, description="Console."),
        Property(name="cpumodel", attribute="CPU_MODEL", type=CPU_MODEL, description="CPU that the guest sees."),
        Property(name="raw", type=RAW, description="Text for the hypervisor."),
        Property(name="vmgroup", type=VM_GROUP, description="Role of a VM group."),
        _text("schedRequirements", "Expression that hosts must satisfy (SCHED_REQUIREMENTS)."),
        _text("schedDsRequirements", "Expression that datastores must satisfy (SCHED_DS_REQUIREMENTS)."),
        Property(
            name="userInputs",
            type=MapOf("string"),
            description="Questions asked when a VM is made: name to `M|text|What it is||default`.",
        ),
        common.PERMISSIONS,
        common.GROUP,
        common.LOCK,
        common.TAGS,
        common.template_sections("Template"),
        common.object_id("templateId", "template"),
        Property(name="regTime", type="integer", output=True, description="When it was registered, in Unix seconds."),
        *common.OWNER_OUTPUTS,
        *common.TAG_OUTPUTS,
    ),
)
