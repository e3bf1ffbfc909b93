// SPDX-License-Identifier: GPL-2.0-or-later
using System.Runtime.CompilerServices;

namespace Qemu.Host.Generated
{
    public partial struct dotnet_error
    {
        [NativeTypeName("char[512]")]
        public _text_e__FixedBuffer text;

        [InlineArray(512)]
        public partial struct _text_e__FixedBuffer
        {
            public sbyte e0;
        }
    }
}
