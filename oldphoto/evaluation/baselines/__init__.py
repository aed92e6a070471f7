"""The methods that ours is compared with, all with the same interface.

``method(photo, scratch_mask)`` takes a uint8 photo (H, W, 3) and a bool mask (H, W), True where
damaged, and returns the restored photo, uint8 and of the same size. The function ``fit`` of a
module trains its method with the package's one loop. These commands make every row of the table::

    python -m oldphoto baseline attention --size small --data DATA --run RUN
    python -m oldphoto evaluate --methods all --baselines RUN --output OUTPUT

============  ========================================================================
module        method
============  ========================================================================
``classical``   fill the holes, remove the noise, fill them again; nothing is learned
``attention``   operation-wise attention, Suganuma et al. 2019
``cyclegan``    two generators without pairs, Zhu et al. 2017
``dip``         deep image prior, Ulyanov et al. 2018; fitted to each photo
``pix2pix``     a U-Net and a patch discriminator, Isola et al. 2017
``sequential``  BM3D (``bm3d``), then ``edgeconnect``, Nazeri et al. 2019
============  ========================================================================
"""
