// SPDX-License-Identifier: GPL-2.0
/*
 * MSI-X that the driver of a passed through device can enable more than once.
 *
 * When a PV domain's PCI driver gives its vectors back, the kernel asks pcifront
 * to disable MSI-X if pci_dev.msix_enabled is set, else MSI. But the PCI core has
 * cleared that flag by then, so it is always MSI that pciback is told to
 * disable: MSI-X stays on in there, and enabling it again fails (EALREADY). The
 * nvme driver does that in each probe, first with one vector, then with all that
 * it wants; it would be left with a legacy interrupt, which dom0 takes too.
 *
 * This module stands between the two and tells by the vectors themselves, which
 * are still there, what they are. It is loaded after xen-pcifront and before
 * the device's driver, and stays: nothing would hold it while it is called.
 */
#include <linux/module.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <asm/xen/pci.h>

/* pcifront's operations, and the same with ours among them. */
static struct xen_pci_frontend_ops *pcifront;
static struct xen_pci_frontend_ops ops;

/* The caller holds the lock of @dev's descriptors. */
static void iddr_msix_disable(struct pci_dev *dev)
{
	struct msi_desc *desc = msi_first_desc(&dev->dev, MSI_DESC_ASSOCIATED);

	if (desc && desc->pci.msi_attrib.is_msix)
		pcifront->disable_msix(dev);
	else
		pcifront->disable_msi(dev);
}

static int __init iddr_msix_init(void)
{
	pcifront = xen_pci_frontend;
	if (!pcifront) {
		pr_err("iddr_msix: no PCI front end to stand before; load xen-pcifront first, in a PV domain\n");
		return -ENODEV;
	}
	ops = *pcifront;
	ops.disable_msi = iddr_msix_disable;
	WRITE_ONCE(xen_pci_frontend, &ops);
	return 0;
}
module_init(iddr_msix_init);

MODULE_DESCRIPTION("IDDR: MSI-X that can be enabled anew on devices passed through to a PV domain");
MODULE_AUTHOR("IDDR authors");
MODULE_VERSION("0.2");
MODULE_LICENSE("GPL");
